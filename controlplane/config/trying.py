"""`drills` and `check_ins`: whether somebody would be told, tried before it matters."""

from collections.abc import Container
from typing import Any, Final

from controlplane.config.findings import Findings
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import LABELS, NAME, POSITIVE_DURATION, TEXT, choice
from controlplane.config.places import SECRET_FILE, SECRET_URL
from controlplane.config.routing import named_receivers
from controlplane.config.schema import Key, Section, UniqueList
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Mapping, Scalar, Sequence
from controlplane.model.secret import Secret
from controlplane.notify.check_in import METHODS, CheckInOptions
from controlplane.notify.drill import DrillOptions

DRILL: Final = Section(
    "drill",
    DrillOptions,
    {
        "name": Key(NAME, required=True),
        "receiver": Key(TEXT),
        "labels": Key(LABELS),
        "schedule": Key(TEXT),
        "location": Key(TEXT),
        "interval": Key(POSITIVE_DURATION),
        "deliver_within": Key(POSITIVE_DURATION),
        "resolve_within": Key(POSITIVE_DURATION),
    },
)
DRILLS: Final = UniqueList("a list of drills", DRILL, "name")


def _check_in(*, url: Secret | None = None, **values: Any) -> CheckInOptions:
    if url is None:
        raise InvalidInput("one of url & url_file must be configured")
    return CheckInOptions(url=url, **values)


CHECK_IN: Final = Section(
    "check_in",
    _check_in,
    {
        "name": Key(NAME, required=True),
        "url": Key(SECRET_URL),
        "url_file": Key(SECRET_FILE, field="url"),
        "fail_url": Key(SECRET_URL),
        "fail_url_file": Key(SECRET_FILE, field="fail_url"),
        "interval": Key(POSITIVE_DURATION),
        "timeout": Key(POSITIVE_DURATION),
        "method": Key(choice(*METHODS)),
        "http_config": Key(HTTP_CLIENT),
    },
)
CHECK_INS: Final = UniqueList("a list of check-ins", CHECK_IN, "name")


def check_drills(root: Mapping, receivers: Container[str], found: Findings) -> None:
    """Note drills for receivers that are not defined, or that no route leads to."""
    routed = {name.text for name in named_receivers(root.get("route"))}
    drills = root.get("drills")
    for drill in drills.items if isinstance(drills, Sequence) else ():
        name = drill.get("receiver") if isinstance(drill, Mapping) else None
        if not isinstance(name, Scalar) or not name.text:
            continue
        if name.text not in receivers:
            reason = f"undefined receiver {name.text!r} used in drill"
            found.add(name.file, name.line, reason)
        elif name.text not in routed:
            reason = f"no route leads to the receiver {name.text!r} of the drill"
            found.add(name.file, name.line, reason)
