"""The objects of the API: alerts, groups, silences, as Alertmanager 0.34 shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.api.alertmanager.bodies import PostableMatcher
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.duration import format_time
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.silence import Silence
from controlplane.routing.ports import Flush

Json = dict[str, Any]

_OPS = {
    (True, False): MatchOp.EQUAL,
    (False, False): MatchOp.NOT_EQUAL,
    (True, True): MatchOp.REGEX,
    (False, True): MatchOp.NOT_REGEX,
}
_KINDS = {op: kind for kind, op in _OPS.items()}


@dataclass(frozen=True, slots=True)
class Suppression:
    """What keeps an alert from being told: ids of silences, fingerprints, names of intervals."""

    silenced_by: Sequence[str] = ()
    inhibited_by: Sequence[str] = ()
    muted_by: Sequence[str] = ()

    @property
    def state(self) -> str:
        muted = self.silenced_by or self.inhibited_by or self.muted_by
        return "suppressed" if muted else "active"


def alert_json(alert: Alert, receivers: Iterable[str], why: Suppression) -> Json:
    """Return an alert as it is shown (gettableAlert)."""
    shown = {
        "annotations": dict(alert.annotations.pairs),
        "endsAt": format_time(alert.ends_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": format_time(alert.starts_at),
        "status": {
            "inhibitedBy": list(why.inhibited_by),
            "mutedBy": list(why.muted_by),
            "silencedBy": list(why.silenced_by),
            "state": why.state,
        },
        "updatedAt": format_time(alert.updated_at),
        "labels": dict(alert.labels.pairs),
    }
    return shown | {"generatorURL": alert.generator_url} if alert.generator_url else shown


def group_json(group: Flush, route_labels: Mapping[str, str], alerts: list[Json]) -> Json:
    """Return a group as it is shown (alertGroup)."""
    return {
        "alerts": alerts,
        "labels": dict(group.group_labels.pairs),
        "receiver": {"name": group.receiver},
        "routeLabels": dict(route_labels),
    }


def silence_json(silence: Silence, now: Timestamp) -> Json:
    """Return a silence as it is shown (gettableSilence)."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now).value},
        "updatedAt": format_time(silence.updated_at),
        "annotations": dict(silence.annotations.pairs),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": format_time(silence.ends_at),
        "matchers": [_matcher_json(each) for each in silence.matchers],
        "startsAt": format_time(silence.starts_at),
    }


def matcher_of(given: PostableMatcher) -> Matcher:
    """Return a matcher that was posted. Raises InvalidInput for a bad regex."""
    return Matcher(given.name, _OPS[given.is_equal, given.is_regex], given.value)


def _matcher_json(matcher: Matcher) -> Json:
    is_equal, is_regex = _KINDS[matcher.op]
    return {
        "isEqual": is_equal,
        "isRegex": is_regex,
        "name": matcher.name,
        "value": matcher.value,
    }
