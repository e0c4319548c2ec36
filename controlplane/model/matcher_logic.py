"""What matchers say together: that nothing can fulfil them, or that others follow from them.

Only what is certain counts: of a regex, no more is understood than a list of
literal texts, "anything" and "anything but nothing".
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from controlplane.model.matchers import Matcher, MatchOp

_GROUP: Final = re.compile(r"\((?:\?:)?([^()]*)\)\Z")
_LITERAL: Final = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^\w\s])*\Z")
_ESCAPE: Final = re.compile(r"\\(.)")
# Of longer lists, the values are not tried one by one.
_MOST_VALUES: Final = 50


def impossible(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    """Return those that no value of their label fulfils together, nothing when all can be."""
    for name in dict.fromkeys(matcher.name for matcher in matchers):
        if possible_values(matchers, name) == frozenset():
            return tuple(matcher for matcher in matchers if matcher.name == name)
    return ()


def possible_values(matchers: Iterable[Matcher], name: str) -> frozenset[str] | None:
    """Return the values that a label can have ("": it is not set), None when they are endless."""
    own = [matcher for matcher in matchers if matcher.name == name]
    lists = [listed for listed in map(_listed, own) if listed is not None]
    if not lists:
        return None
    both = frozenset.intersection(*lists)
    return frozenset(value for value in both if all(each.matches(value) for each in own))


def follow(wanted: Iterable[Matcher], given: Sequence[Matcher]) -> bool:
    """Tell whether whatever fulfils `given` fulfils `wanted` too, for certain."""
    return all(_follows(matcher, given) for matcher in wanted)


def covered(given: Sequence[Matcher], by: Sequence[Sequence[Matcher]]) -> bool:
    """Tell whether whatever fulfils `given` fulfils one of several sets, for certain."""
    if any(follow(wanted, given) for wanted in by):
        return True
    for name in dict.fromkeys(matcher.name for matcher in chain(*by)):
        values = possible_values(given, name)
        if values is None or not 1 < len(values) <= _MOST_VALUES:
            continue
        cases = [(*given, Matcher(name, MatchOp.EQUAL, value)) for value in values]
        if all(any(follow(wanted, case) for wanted in by) for case in cases):
            return True
    return False


def _follows(wanted: Matcher, given: Sequence[Matcher]) -> bool:
    if wanted in given or (wanted.op is MatchOp.REGEX and wanted.value == ".*"):
        return True
    values = possible_values(given, wanted.name)
    if values is not None:
        return all(map(wanted.matches, values))
    if (wanted.op, wanted.value) in ((MatchOp.NOT_EQUAL, ""), (MatchOp.REGEX, ".+")):
        return any(each.name == wanted.name and not each.matches("") for each in given)
    return False


def _listed(matcher: Matcher) -> frozenset[str] | None:
    """Return the values that a matcher names, None when it names none."""
    match matcher.op:
        case MatchOp.EQUAL:
            return frozenset((matcher.value,))
        case MatchOp.REGEX:
            return _literals(matcher.value)
        case MatchOp.NOT_REGEX if matcher.value in (".+", ".*"):
            return frozenset(("",)) if matcher.value == ".+" else frozenset()
    return None


def _literals(pattern: str) -> frozenset[str] | None:
    group = _GROUP.match(pattern)
    parts = (group[1] if group else pattern).split("|")
    if not all(map(_LITERAL.match, parts)):
        return None
    return frozenset(_ESCAPE.sub(r"\1", part) for part in parts)
