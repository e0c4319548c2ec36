"""The words of a story: what was decided, done and answered, and because of what."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from controlplane.alerts.decision import Decision, Kind
from controlplane.model.alert import AlertStatus
from controlplane.model.duration import format_duration, format_time
from controlplane.notify.message import Attempt, Message, Outcome

# What was said, and because of what.
Said = tuple[str, str]
# What ids stand for: silences and alerts in words.
Names = Mapping[str, str]


def of_decision(decision: Decision, names: Names) -> Said:
    """Return the words for an entry of the ledger."""
    return _DECISIONS[decision.kind](decision.place, decision.detail, names)


def of_message(message: Message, status: AlertStatus) -> Said:
    """Return the words for a message in which an alert had this status."""
    said = "that it fires" if status is AlertStatus.FIRING else "that it has ended"
    return f"{place_of(message)} is to be told {said}", message.content.reason.value


def of_attempt(attempt: Attempt, message: Message) -> Said:
    """Return the words for one try to deliver a message."""
    came = _OUTCOMES[attempt.outcome]
    code = "" if attempt.status_code is None else f"status {attempt.status_code} "
    reason = "" if attempt.reason is None else f", {attempt.reason.value}"
    detail = f": {attempt.detail}" if attempt.detail else ""
    what = f"attempt {attempt.number} to tell {place_of(message)} {came}"
    return what, f"{code}after {attempt.seconds:.3f} s{reason}{detail}"


def of_next_try(message: Message) -> Said:
    """Return the words for an attempt that is still to come."""
    what = f"attempt {message.attempts + 1} to tell {place_of(message)} is due"
    return what, message.failure or "it waits for its turn"


def of_dead(message: Message) -> Said:
    """Return the words for a message that was given up."""
    return f"the message to {place_of(message)} was given up", message.failure


def of_superseded(message: Message) -> Said:
    """Return the words for a message that a newer one replaced."""
    what = f"the message to {place_of(message)} was taken back"
    return what, "what it had to tell was overtaken"


def place_of(message: Message) -> str:
    """Return the place of a message, as the ledger names it."""
    return "/".join(message.channel)


def _received(_place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    return (
        "it began to fire",
        f"its source said so; it counts from {_time(detail.get('starts_at'))}",
    )


def _resolved(_place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    silent = "nobody spoke of it again within resolve_timeout"
    return "it ended", silent if detail.get("timeout") else "its source said so, or fell silent"


def _grouped(place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    wait = format_duration(int(detail.get("group_wait", 0)))
    because = f"the route {detail.get('route')} takes it, as one of the group"
    return f"it is for {place}", f"{because} {detail.get('group_key')}, first told after {wait}"


def _silenced(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    return f"{place} is not told", f"silenced by {_named(detail, names)}"


def _inhibited(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    return f"{place} is not told", f"inhibited by {_named(detail, names)}"


def _muted(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    return f"{place} is not told", f"by the hours of its route: {_named(detail, names)}"


def _dependent(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    return f"{place} is not told", f"it depends on {_named(detail, names)}, which is down"


def _held(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    return f"{place} is not told yet", f"held for a short while: {_named(detail, names)}"


def _deduplicated(place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    again = detail.get("repeat_at")
    if again is None:
        return f"{place} is not told", str(detail.get("reason", ""))
    because = f"nothing has changed since; it is repeated after {_time(again)}"
    return f"{place} is not told again", because


def _queued(place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    return f"{place} is to be told", f"message {detail.get('message')}"


def _unknown(_place: str, detail: Mapping[str, Any], _names: Names) -> Said:
    because = f"its rule cannot tell ({detail.get('state')}): {detail.get('reason')}"
    return "it stays as it was", because


def _known(_place: str, _detail: Mapping[str, Any], _names: Names) -> Said:
    return "its rule can tell again", "the rule was evaluated, and what it reads was there"


def _clicked(place: str, detail: Mapping[str, Any], names: Names) -> Said:
    author, until = detail.get("author"), _time(detail.get("until"))
    because = f"a button in the message of {place} was clicked: silence {_named(detail, names)}"
    if detail.get("action") == "acknowledge":
        return f"{author} acknowledged it until it has ended, at most until {until}", because
    return f"{author} silenced it until {until}", because


_DECISIONS: Final[Mapping[Kind, Callable[[str, Mapping[str, Any], Names], Said]]] = {
    Kind.RECEIVED: _received,
    Kind.RESOLVED: _resolved,
    Kind.GROUPED: _grouped,
    Kind.SILENCED: _silenced,
    Kind.INHIBITED: _inhibited,
    Kind.MUTED: _muted,
    Kind.DEPENDENT: _dependent,
    Kind.HELD: _held,
    Kind.DEDUPLICATED: _deduplicated,
    Kind.QUEUED: _queued,
    Kind.UNKNOWN: _unknown,
    Kind.KNOWN: _known,
    Kind.CLICKED: _clicked,
}

_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "arrived",
    Outcome.REFUSED: "failed",
    Outcome.UNKNOWN: "failed, and may have arrived",
}


def _named(detail: Mapping[str, Any], names: Names) -> str:
    return ", ".join(names.get(each, each) for each in detail.get("by", ()))


def _time(at: object) -> str:
    return format_time(at) if isinstance(at, int) else "a time that was not kept"
