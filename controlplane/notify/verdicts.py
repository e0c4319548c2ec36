"""Why a flush tells an integration of an alert, or does not: said to whoever keeps the reasons."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.notify.channels import Channel
from controlplane.notify.incident import UNTOLD, Incident, never_reached
from controlplane.notify.ports import GroupFlush

# The two kinds of verdict beside those of muters, which are named as the muters are.
QUEUED: Final = "queued"
UNCHANGED: Final = "unchanged"


class Untold(StrEnum):
    """Why there is nothing to say of an alert that nothing mutes."""

    TOLD_ALREADY = "told already"
    ENDED_BEFORE = "ended before it was told"
    RESOLVED_UNWANTED = "send_resolved is false"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided on some alerts of a group, for one integration of its receiver.

    `kind` is a muter's kind, QUEUED or UNCHANGED; `detail` holds what it rests
    on, in JSON's types: `by` whom it is muted, the `message`, the `reason`.
    """

    kind: str
    alerts: Sequence[Alert]
    channel: Channel
    at: Timestamp
    detail: Mapping[str, object] = field(default_factory=dict)


def left_out(
    channel: Channel,
    flush: GroupFlush,
    incident: Incident | None,
    visible: Sequence[Alert],
    told: Collection[str],
) -> Iterator[Verdict]:
    """Say why alerts that nothing mutes are not in a message; `told` are those that are.

    `incident` is the open one, as it was before this flush.
    """
    known = incident.told if incident is not None else None
    known = known or UNTOLD
    unreached = incident is None or never_reached(incident)
    sorted_out: dict[Untold, list[Alert]] = {reason: [] for reason in Untold}
    for alert in visible:
        name = alert.fingerprint
        if name in told or name in known.resolved:
            continue
        if alert.status(flush.at) is AlertStatus.FIRING:
            reason = Untold.TOLD_ALREADY
        elif unreached or name not in known.firing:
            reason = Untold.ENDED_BEFORE
        else:
            reason = Untold.RESOLVED_UNWANTED
        sorted_out[reason].append(alert)
    for reason, alerts in sorted_out.items():
        if alerts:
            detail: dict[str, object] = {"reason": reason.value}
            if reason is Untold.TOLD_ALREADY and incident is not None:
                detail["repeat_at"] = incident.told_at + flush.repeat_interval
            yield Verdict(UNCHANGED, alerts, channel, flush.at, detail)
