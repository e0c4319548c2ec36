"""`canaries`, `storm_settings` and `silence_settings`: what bounds muting."""

from typing import Final

from controlplane.config.kinds import NATURAL, POSITIVE_DURATION, text
from controlplane.config.schema import Key, Leaf, ListOf, Made, Section
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.mute.options import SilenceOptions, StormOptions
from controlplane.targets.validation import check_address, check_url


def _canary(node: Scalar) -> str:
    written = text(node)
    (check_url if "://" in written else check_address)(written, "")
    return written


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(f"{name} stands twice", pointer=f"/{place}")
    return names


CANARIES: Final = Made(
    ListOf("a list of addresses and URLs", Leaf("host:port or a URL", _canary)), _once, list
)
STORM_SETTINGS: Final = Section(
    "storm_settings",
    StormOptions,
    {
        "targets": Key(NATURAL),
        "networks": Key(NATURAL),
        "hold": Key(POSITIVE_DURATION),
        "canary_interval": Key(POSITIVE_DURATION),
        "canary_timeout": Key(POSITIVE_DURATION),
    },
)
SILENCE_SETTINGS: Final = Section(
    "silence_settings",
    SilenceOptions,
    {
        "max_silences": Key(NATURAL),
        "max_matchers": Key(NATURAL),
        "max_text": Key(NATURAL),
        "max_size": Key(NATURAL),
        "retention": Key(POSITIVE_DURATION),
    },
)
