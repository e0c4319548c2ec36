"""Holds notifications back, for a short while, when it is our own network that fails."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError
from controlplane.model.alert import OWN_NETWORK_DOWN, Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.member import Network
from controlplane.mute.canaries import CanaryRounds
from controlplane.mute.hearsay import Hearsay
from controlplane.mute.isolation import NOT_ISOLATED, Isolation, judge_isolation
from controlplane.mute.metrics import StormMetrics
from controlplane.mute.networks import network_of
from controlplane.mute.options import StormOptions
from controlplane.mute.ports import (
    AcceptAlerts,
    AskCanary,
    FindAlert,
    LastOutcome,
    LastWord,
    Moment,
    Release,
    Replicas,
)
from controlplane.mute.storm import (
    CALM,
    NETWORK_REASONS,
    Failing,
    Mass,
    Phase,
    Storm,
    mass_of,
    ours,
    step,
    still,
)
from controlplane.mute.watched import TargetBook
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# To judge costs a look at each failing target, so a thousand failures are judged together.
_PAUSE: Final[Duration] = 250
# The alert lasts so long without being spoken of again, and is spoken of so often.
_LASTS: Final[Duration] = 60_000
_AGAIN: Final[Duration] = 20_000
# While anything is in doubt it is judged so often.
_LOOK: Final[Duration] = 1_000
_LABELS: Final = Labels({"alertname": OWN_NETWORK_DOWN, "severity": "critical"})
_REPLICA: Final = "replica"


class OwnNetwork:
    """A Muter of alerts about targets, and who raises the alert about ourselves.

    `failed` hears of every failed probe, `heard` of every change of an alert,
    both on the event loop. Without canaries it does nothing. Each of several
    replicas judges the network that it is in, and tells the others of it, once
    it is put `among` them; their alerts differ by the label `replica`. What one
    of them says of targets while its network is in doubt is held by all.
    """

    kind: Final = "held"

    def __init__(
        self,
        targets: TargetBook,
        clock: Clock,
        metrics: StormMetrics,
        *,
        ask: AskCanary,
        last_outcome: LastOutcome,
        release: Release,
        accept: AcceptAlerts,
        find: FindAlert,
        replica: str = "",
    ) -> None:
        """`replica` is which one of several this is; the only one needs no name."""
        self._labels = _LABELS.merge({_REPLICA: replica}) if replica else _LABELS
        self._targets = targets
        self._clock = clock
        self._metrics = metrics
        self._last_outcome = last_outcome
        self._release = release
        self._accept = accept
        self._find = find
        self._options = StormOptions()
        self._canaries = CanaryRounds(ask, clock, metrics)
        self._replicas: Replicas | None = None
        self._isolation: Isolation = NOT_ISOLATED
        self._hearsay = Hearsay(lambda _target_id: None)
        self._failing: dict[str, Failing] = {}
        self._members: set[str] = set()
        self._jobs: frozenset[str] = frozenset()
        self._held: dict[Labels, Timestamp] = {}
        self._let_go: set[Labels] = set()
        self._judged_at: Timestamp = 0
        self._told_at: Timestamp = 0
        self._reason = ""
        self._mass: Mass | None = None  # the last one, also when it is over
        self._woken = asyncio.Event()
        self.storm: Storm = CALM
        metrics.observe_held(lambda: len(self._held) - len(self._let_go))

    def among(self, replicas: Replicas, last_word: LastWord) -> None:
        """Tell these replicas of our network from now on, and heed what they say of theirs."""
        self._replicas, self._hearsay = replicas, Hearsay(last_word)
        replicas.subscribe(self._hear)
        self._hear()

    def configure(self, canaries: tuple[str, ...], options: StormOptions) -> None:
        """Use other canaries and limits from now on."""
        self._options = options
        self._canaries.configure(canaries, options)
        if not canaries:
            self._failing.clear()
            self._become(CALM)
            self._say(NOT_ISOLATED)
        self._woken.set()

    def failed(self, target_id: str, at: Timestamp, reason: str, peer: str) -> None:
        """Take note of a failed probe: its slot, why, and the address that was tried."""
        target = self._targets.get(target_id) if self._canaries else None
        if target is None:
            return
        known = self._failing.get(target_id)
        ours = reason in NETWORK_REASONS
        # A slot in between was a success, or it failed by something else before.
        anew = (
            known is None
            or at > known.at + target.interval
            or ours is not (known.reason in NETWORK_REASONS)
        )
        if known is not None and not anew and known.reason == reason:
            self._failing[target_id] = replace(known, at=at)
        else:
            network = network_of(peer, target.endpoint)
            began = at if known is None or anew else known.began
            failing = Failing(target_id, reason, network, target.interval, began, at)
            self._failing[target_id] = failing
        if self.storm.phase is Phase.CALM and not (ours and anew):
            return
        now = self._clock.now()
        if abs(now - self._judged_at) >= _PAUSE:
            self.judge(now)
        else:
            self._woken.set()

    def muted_by(self, labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return why an alert is held, or nothing."""
        why = self._why(labels, moment.at)
        if not why:
            return ()
        self._held.setdefault(labels, moment.at)
        self._let_go.discard(labels)
        return (why,)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Forget of what ended that it was held."""
        for alert in alerts if self._held else ():
            if alert.status(now) is AlertStatus.RESOLVED:
                self._held.pop(alert.labels, None)
                self._let_go.discard(alert.labels)

    def judge(self, now: Timestamp) -> None:
        """Look where the storm stands now, and let go of what need not be held any more."""
        self._judged_at = now
        self._failing = {
            name: each
            for name, each in self._failing.items()
            if self._last_outcome(name) is False and self._targets.get(name) is not None
        }
        failing = self._failing.values()
        known = self.storm.mass
        mass = mass_of(failing, self._options)
        if known is not None:
            mass = still(known, failing, self._options)
        canaries = self._canaries.last
        self._become(step(self.storm, mass, canaries, now, self._options))
        self._say(judge_isolation(self._isolation, self.storm, canaries, now))
        self._hear()
        self._hearsay.look(self._failing, now, self._options.hold)
        loose = {
            labels for labels in self._held.keys() - self._let_go if not self._why(labels, now)
        }
        if loose:
            self._let_go |= loose
            self._release(loose, now)

    async def run(self) -> None:
        """Ask the canaries, judge and tell, until cancelled."""
        asked_at: Timestamp | None = None
        while True:
            await sleep_unless(self._clock, self._woken, self._patience())
            if self._woken.is_set():
                self._woken.clear()
                await self._clock.sleep(_PAUSE / 1000)
            now = self._clock.now()
            self.judge(now)
            due = asked_at is None or abs(now - asked_at) >= self._options.canary_interval
            if self._canaries and (due or self.storm.phase is Phase.ASKING):
                asked_at = now
                await self._canaries.ask()
                self.judge(self._clock.now())
            await self.tell(self._clock.now())

    async def tell(self, now: Timestamp) -> None:
        """Raise, keep up or end the alert about ourselves."""
        # What fails here is probed by others once we are isolated, and may be well for them.
        isolated = self._isolation.network is Network.ISOLATED
        down = isolated or ours(self.storm, self._canaries.last)
        self._metrics.down.set(down)
        known = self._find(self._labels.fingerprint())
        fires = known is not None and known.status(now) is AlertStatus.FIRING
        if down and not (fires and 0 <= now - self._told_at < _AGAIN):
            begun = known.starts_at if known is not None and fires else now
            await self._put(self._alert(begun, now), now)
        elif not down and known is not None and fires:
            await self._put(replace(known, ends_at=now, updated_at=now), now)

    def _patience(self) -> float:
        every = self._options.canary_interval if self._canaries else _LASTS
        calm = self.storm.phase is Phase.CALM and not self._hearsay
        return (every if calm else min(every, _LOOK)) / 1000

    def _hear(self) -> None:
        """Take note of what the replicas say of their networks."""
        if self._replicas is None:
            return
        networks = self._replicas.networks()
        if self._hearsay.hear(networks, self._clock.now(), self._options.hold):
            self._woken.set()

    def _say(self, isolation: Isolation) -> None:
        """Have the other replicas know how our network is: alone there is nobody to tell."""
        if self._replicas is None or isolation == self._isolation:
            return
        before, self._isolation = self._isolation.network, isolation
        if isolation.network is not before:
            self._replicas.say(isolation.network)

    def _why(self, labels: Labels, now: Timestamp) -> str:
        """Return why an alert is to be held that has not been held too long, or nothing."""
        if now >= self._held.get(labels, now) + self._options.hold:
            return ""
        about = self._targets.about(labels)
        if self._holds(about, labels):
            return self._reason
        if not (about or "instance" in labels):
            about = self._of_job(labels.value("job"))
        return self._hearsay.why(about, now, self._options.hold)

    def _of_job(self, job: str) -> set[str]:
        """Return the targets of a job of which it is in doubt what was said."""
        found = map(self._targets.get, self._hearsay.doubted)
        return {each.id for each in found if each is not None and each.labels.value("job") == job}

    def _holds(self, about: AbstractSet[str], labels: Labels) -> bool:
        """Tell whether our own network is a reason to hold an alert about these targets."""
        storm = self.storm
        if not storm.holds:
            return False
        if not about:
            return "instance" not in labels and labels.value("job") in self._jobs
        if storm.phase is not Phase.SETTLING:
            return not about.isdisjoint(self._members)
        return any(name in self._members and not self._fails_since(name) for name in about)

    def _fails_since(self, target_id: str) -> bool:
        """Tell whether a target failed again after the canaries were back."""
        failing = self._failing.get(target_id)
        return failing is not None and failing.at >= self.storm.since

    def _become(self, storm: Storm) -> None:
        old, self.storm = self.storm, storm
        self._mass = storm.mass or self._mass
        if storm.holds and storm.mass is not None:
            self._join(storm.mass.began)
        elif self._members:
            self._members, self._jobs = set(), frozenset()
        if storm.phase is old.phase:
            return
        self._woken.set()
        canaries = self._canaries.last
        if storm.holds and (not old.holds or storm.phase is Phase.HOLDING):
            asked = "our canaries are being asked"
            failed = f"so do all our canaries ({canaries.failing})"
            why = asked if storm.phase is Phase.ASKING else failed
            self._reason = f"{storm.mass} fail at once, and {why}"
        if storm.phase is Phase.HOLDING and old.phase is not Phase.SETTLING:
            self._metrics.holds.inc()
        log.warning(
            "mass failure",
            phase=storm.phase.value,
            before=old.phase.value,
            failing=str(storm.mass or old.mass),
            canaries=canaries.counted,
            canaries_failing=canaries.failing,
        )

    def _join(self, began: Timestamp) -> None:
        """Count all to the storm that began to fail with it, and stay in it when they are back."""
        new = {
            name
            for name, each in self._failing.items()
            if each.began >= began and each.reason in NETWORK_REASONS
        } - self._members
        if new:
            self._members |= new
            found = (self._targets.get(name) for name in new)
            self._jobs |= {each.labels.value("job") for each in found if each is not None}

    def _alert(self, starts_at: Timestamp, now: Timestamp) -> Alert:
        canaries, mass = self._canaries.last, self._mass
        held = len(self._held) - len(self._let_go)
        elsewhere = "Replicas that reach theirs probe for this one meanwhile. "
        return Alert(
            labels=self._labels,
            annotations=Labels(
                {
                    "summary": f"Our own network seems to be down: {mass} fail at once",
                    "description": (
                        f"All of our canaries ({canaries.failing}) fail too. "
                        f"{'' if self._replicas is None else elsewhere}"
                        f"Notifications of {held} alerts about these targets are held now; "
                        f"each is told within {self._options.hold // 1000} s if it still fires."
                    ),
                }
            ),
            starts_at=starts_at,
            ends_at=now + _LASTS,
            updated_at=now,
        )

    async def _put(self, alert: Alert, now: Timestamp) -> None:
        self._told_at = now
        try:
            await self._accept([alert])
        except ControlPlaneError as refused:
            log.error("alert on our own network not accepted", reason=str(refused))
