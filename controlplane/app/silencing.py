"""Silences as those who tell of alerts know them: who set one, and how one is set by a click."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.mute.cover import covering
from controlplane.mute.silence import LONGEST_ACKNOWLEDGED, Silence
from controlplane.mute.silences import Silences
from controlplane.notify.silenced import Silenced

# The annotation of a silence that says by which click it came.
_CLICK: Final = "controlplane_click"


@dataclass(frozen=True, slots=True)
class Silencing:
    """Between notify, which shows silences and takes clicks, and mute, which keeps them."""

    silences: Silences
    clock: Clock

    def silenced_by(self, labels: Labels) -> Sequence[Silenced]:
        """Return the silences that mute an alert with these labels now."""
        now = self.clock.now()
        return [_shown(self.silences.get(name)) for name in self.silences.muting(labels, now)]

    async def silence(
        self,
        alerts: Sequence[Alert],
        *,
        author: str,
        comment: str,
        since: Timestamp,
        lasts: Duration | None,
        once: str,
    ) -> Silenced | None:
        """Silence some alerts for a person; None when that was done for the same click before.

        Raises InvalidInput, Overloaded, Unavailable.
        """
        if any(kept.annotations.value(_CLICK) == once for kept in self.silences.list()):
            return None
        wanted = Silence(
            matchers=covering([alert.labels for alert in alerts]),
            starts_at=self.clock.now(),
            ends_at=since + (LONGEST_ACKNOWLEDGED if lasts is None else lasts),
            created_by=author,
            comment=comment,
            annotations=Labels({_CLICK: once}),
            until_resolved=lasts is None,
        )
        kept, new = await self.silences.set_once(wanted, by=author)
        return _shown(kept) if new else None


def _shown(silence: Silence) -> Silenced:
    return Silenced(
        silence.id,
        silence.created_by,
        silence.comment,
        silence.ends_at,
        acknowledges=silence.until_resolved,
    )
