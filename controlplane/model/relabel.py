"""Relabelling: Prometheus' `relabel_configs`, all actions of version 3.

Semantics: prometheus/prometheus, model/relabel, with UTF-8 label names.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, cast

from controlplane.errors import InvalidInput
from controlplane.model.expansion import Match, expand
from controlplane.model.labels import Labels, is_utf8
from controlplane.model.matchers import compile_regex


class Action(StrEnum):
    """What one relabelling step does."""

    REPLACE = "replace"
    KEEP = "keep"
    DROP = "drop"
    KEEP_EQUAL = "keepequal"
    DROP_EQUAL = "dropequal"
    HASHMOD = "hashmod"
    LABELMAP = "labelmap"
    LABELDROP = "labeldrop"
    LABELKEEP = "labelkeep"
    LOWERCASE = "lowercase"
    UPPERCASE = "uppercase"


_DEFAULTS: Final = {
    "source_labels": (),
    "separator": ";",
    "regex": "(.*)",
    "modulus": 0,
    "replacement": "$1",
    "target_label": "",
}
_NEED_TARGET: Final = frozenset(
    {
        Action.REPLACE,
        Action.HASHMOD,
        Action.LOWERCASE,
        Action.UPPERCASE,
        Action.KEEP_EQUAL,
        Action.DROP_EQUAL,
    }
)
# Fields that an action leaves no use for: set, they are a mistake.
_USELESS: Final[Mapping[Action, Sequence[str]]] = {
    Action.KEEP_EQUAL: ("regex", "modulus", "separator", "replacement"),
    Action.DROP_EQUAL: ("regex", "modulus", "separator", "replacement"),
    Action.LABELDROP: ("source_labels", "target_label", "modulus", "separator", "replacement"),
    Action.LABELKEEP: ("source_labels", "target_label", "modulus", "separator", "replacement"),
    Action.LOWERCASE: ("replacement",),
    Action.UPPERCASE: ("replacement",),
}


class _Pattern(Protocol):
    groups: int
    groupindex: Mapping[str, int]

    def fullmatch(self, text: str) -> Match | None: ...


@dataclass(frozen=True, slots=True)
class RelabelConfig:
    """One step, with prometheus.yml's keys and defaults. Raises InvalidInput.

    `regex` is anchored at both ends; `replacement` and `target_label` may name
    its groups.
    """

    action: Action = Action.REPLACE
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    modulus: int = 0
    replacement: str = "$1"
    target_label: str = ""
    _pattern: _Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", cast(_Pattern, compile_regex(self.regex)))
        if self.modulus < 0 or (self.action is Action.HASHMOD and self.modulus == 0):
            raise InvalidInput("hashmod needs a modulus above zero", pointer="/modulus")
        if self.action in _NEED_TARGET and not _is_label_name(self.target_label):
            raise InvalidInput(
                f"action {self.action} needs a valid target_label", pointer="/target_label"
            )
        if self.action is Action.LABELMAP and not _is_label_name(self.replacement):
            raise InvalidInput("labelmap needs a valid replacement", pointer="/replacement")
        for name in _USELESS.get(self.action, ()):
            if getattr(self, name) != _DEFAULTS[name]:
                raise InvalidInput(f"action {self.action} does not use {name}", pointer=f"/{name}")

    def matches(self, text: str) -> bool:
        """Tell whether the whole of `text` matches the regex."""
        return self._pattern.fullmatch(text) is not None

    def substitute(self, template: str, text: str) -> str | None:
        """Return the template filled from the match of `text`; None when it does not match."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        return expand(template, match, self._pattern.groups, self._pattern.groupindex)


def relabel(labels: Mapping[str, str], configs: Sequence[RelabelConfig]) -> Labels | None:
    """Return the label set after all steps in order, or None when one drops it."""
    builder = _Builder(labels)
    for config in configs:
        if not _ACTIONS[config.action](config, builder):
            return None
    return builder.labels()


class _Builder:
    """A label set under change.

    Labels that were set come after those it began with, in the order of their
    setting: where `labelmap` maps two names to one, the last wins, as upstream.
    """

    __slots__ = ("_base", "_set")

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._base = {name: labels[name] for name in sorted(labels)}
        self._set: dict[str, str] = {}

    def get(self, name: str) -> str:
        return self._set.get(name) or self._base.get(name, "")

    def set(self, name: str, value: str) -> None:
        self._base.pop(name, None)
        if value:
            self._set[name] = value
        else:
            self._set.pop(name, None)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Iterate over the set as it is now; changes while iterating are not seen."""
        return iter([*self._base.items(), *self._set.items()])

    def labels(self) -> Labels:
        return Labels({**self._base, **self._set})


def _joined(config: RelabelConfig, builder: _Builder) -> str:
    return config.separator.join([builder.get(name) for name in config.source_labels])


def _replace(config: RelabelConfig, builder: _Builder) -> bool:
    source = _joined(config, builder)
    target = config.substitute(config.target_label, source)
    value = config.substitute(config.replacement, source)
    if target is not None and value is not None and _is_label_name(target):
        builder.set(target, value)
    return True


def _keep(config: RelabelConfig, builder: _Builder) -> bool:
    return config.matches(_joined(config, builder))


def _drop(config: RelabelConfig, builder: _Builder) -> bool:
    return not config.matches(_joined(config, builder))


def _keep_equal(config: RelabelConfig, builder: _Builder) -> bool:
    return builder.get(config.target_label) == _joined(config, builder)


def _drop_equal(config: RelabelConfig, builder: _Builder) -> bool:
    return builder.get(config.target_label) != _joined(config, builder)


def _hashmod(config: RelabelConfig, builder: _Builder) -> bool:
    source = _joined(config, builder).encode()
    digest = hashlib.md5(source, usedforsecurity=False).digest()
    builder.set(config.target_label, str(int.from_bytes(digest[8:]) % config.modulus))
    return True


def _labelmap(config: RelabelConfig, builder: _Builder) -> bool:
    for name, value in builder.pairs():
        mapped = config.substitute(config.replacement, name)
        if mapped is not None:
            builder.set(mapped, value)
    return True


def _labeldrop(config: RelabelConfig, builder: _Builder) -> bool:
    for name, _ in builder.pairs():
        if config.matches(name):
            builder.set(name, "")
    return True


def _labelkeep(config: RelabelConfig, builder: _Builder) -> bool:
    for name, _ in builder.pairs():
        if not config.matches(name):
            builder.set(name, "")
    return True


def _lowercase(config: RelabelConfig, builder: _Builder) -> bool:
    builder.set(config.target_label, "".join(map(_lower, _joined(config, builder))))
    return True


def _uppercase(config: RelabelConfig, builder: _Builder) -> bool:
    builder.set(config.target_label, "".join(map(_upper, _joined(config, builder))))
    return True


_ACTIONS: Final[Mapping[Action, Callable[[RelabelConfig, _Builder], bool]]] = {
    Action.REPLACE: _replace,
    Action.KEEP: _keep,
    Action.DROP: _drop,
    Action.KEEP_EQUAL: _keep_equal,
    Action.DROP_EQUAL: _drop_equal,
    Action.HASHMOD: _hashmod,
    Action.LABELMAP: _labelmap,
    Action.LABELDROP: _labeldrop,
    Action.LABELKEEP: _labelkeep,
    Action.LOWERCASE: _lowercase,
    Action.UPPERCASE: _uppercase,
}


def _is_label_name(name: str) -> bool:
    return bool(name) and is_utf8(name)


# Go maps letter by letter; Python's own mapping may turn one letter into two
# and minds a sigma's place in its word.
def _lower(letter: str) -> str:
    return letter.lower()[0]


def _upper(letter: str) -> str:
    return next((form for form in (letter.upper(), letter.title()) if len(form) == 1), letter)
