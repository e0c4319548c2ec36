"""What the sections of integrations share: common keys, and what comes from `global`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from controlplane.config.globals import GlobalOptions
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import BOOLEAN, GO_DURATION
from controlplane.config.schema import Key, Leaf, Section
from controlplane.config.templates import Check
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret

T = TypeVar("T")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def posting(
    name: str,
    options: Callable[..., T],
    defaults: GlobalOptions,
    keys: Mapping[str, Key],
    *,
    inherits: Mapping[str, str] = _NOTHING,
    unsupported: Mapping[str, str] = _NOTHING,
) -> Section[T]:
    """Return the section of an integration that speaks HTTP.

    `keys` come between `send_resolved`, `http_config` and `timeout`, which all
    have. `inherits` names the key of `global` that speaks where one is not
    given: `{"api_url": "opsgenie_api_url"}`.
    """
    return Section(
        name,
        partial(_filled, options, defaults, inherits),
        {
            "send_resolved": Key(BOOLEAN),
            "http_config": Key(HTTP_CLIENT),
            **keys,
            "timeout": Key(GO_DURATION),
        },
        unsupported=unsupported,
    )


def _filled(
    options: Callable[..., T],
    defaults: GlobalOptions,
    inherits: Mapping[str, str],
    **values: Any,
) -> T:
    values.setdefault("http_config", defaults.http_config)
    for name, source in inherits.items():
        if name not in values:
            values[name] = getattr(defaults, source)
        if values[name] is None:
            raise InvalidInput(f"no {name}, and no {source} in global")
    return options(**values)


def secret_template(check: Check, plain: Leaf[Secret]) -> Leaf[Secret]:
    """Return the kind of a secret that may be a template; no message repeats any of it."""

    def parse(node: Scalar) -> Secret:
        try:
            check(node.text)
        except InvalidInput:
            raise InvalidInput("not a valid template") from None
        return plain.parse(node)

    return replace(plain, parse=parse)
