"""Evaluates policies, each at its interval, keeps what changes, and acts where a policy says so."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.metrics import AutoscaleMetrics
from controlplane.autoscale.options import Mode, Policy
from controlplane.autoscale.ports import DecisionStore, Hook, QueryFunc, Scales, Tell
from controlplane.autoscale.reading import Reading, count, reading
from controlplane.autoscale.recommend import Seen, State, carried_out, decide, followed
from controlplane.autoscale.sentence import Said, Sentence
from controlplane.autoscale.told import told
from controlplane.clock import Clock, Timestamp
from controlplane.errors import Conflict, ControlPlaneError, Fenced, NotFound, Unavailable
from controlplane.model.fence import Fence
from controlplane.model.share import WHOLE, Share
from controlplane.telemetry.correlation import correlated, correlation_id, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

_QUERY_SECONDS: Final = 10.0

# Is told of each decision, on the event loop. Must not block.
Listener = Callable[[Decision], None]


class Autoscaler:
    """The policies, what they decided last, and the loop that has them decide."""

    def __init__(
        self,
        query: QueryFunc,
        store: DecisionStore,
        scales: Scales,
        hook: Hook,
        tell: Tell,
        *,
        clock: Clock,
        metrics: AutoscaleMetrics,
        external_url: str,
        share: Share = WHOLE,
    ) -> None:
        """`share` has the policies that this replica evaluates and acts for, by `key_of`."""
        self._query = query
        self._store = store
        self._scales = scales
        self._hook = hook
        self._tell = tell
        self._clock = clock
        self._metrics = metrics
        self._external_url = external_url.rstrip("/")
        self._share = share
        # The policies whose metrics are shown here, as of the last look at who owns them.
        self._mine: set[str] = set()
        self._policies: dict[str, Policy] = {}
        self._states: dict[str, State] = {}
        self._decisions: dict[str, Decision] = {}
        self._stored: dict[str, Decision] = {}
        self._directions: dict[str, str] = {}
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._unread = Outage(log, clock.monotonic)
        self._unstored = Outage(log, clock.monotonic)

    def configure(self, policies: Iterable[Policy]) -> None:
        """Have these from now on. What a policy remembers stays with its name."""
        new = {policy.name: policy for policy in policies}
        if list(new.values()) == list(self._policies.values()):
            return
        for name, old in self._policies.items():
            if new.get(name) != old:
                self._set_aside(old)
            if name not in new:
                self._states.pop(name, None)
                self._decisions.pop(name, None)
        self._policies = new
        for policy in new.values():
            if self._share.owns(key_of(policy.name)):
                self._take_up(policy)
        self._changed.set()

    async def load(self) -> None:
        """Take up what was decided before the start. Raises Unavailable."""
        for decision in await self._store.latest():
            self._remember(decision)
        await self.refresh()

    async def refresh(self, names: Collection[str] | None = None) -> None:
        """Learn what policies of other replicas say now, of some or all. Raises Unavailable."""
        for decision in await self._store.current(names):
            if not self._share.owns(key_of(decision.policy)):
                self._learn(decision)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell somebody of each decision from now on; return what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def policies(self) -> Sequence[Policy]:
        """Return the policies in force, the file's first."""
        return list(self._policies.values())

    def policy(self, name: str) -> Policy:
        """Return a policy. Raises NotFound."""
        found = self._policies.get(name)
        if found is None:
            raise NotFound(f"there is no autoscaling policy {name!r}")
        return found

    def acting(self, name: str) -> Policy:
        """Return a policy whose word is to be followed. Raises NotFound, Conflict."""
        found = self.policy(name)
        if found.mode is Mode.SHADOW:
            raise Conflict(f"the autoscaling policy {name!r} is in shadow mode: nobody is to act")
        return found

    def decision(self, name: str) -> Decision | None:
        """Return what a policy decided last, if it has. Raises NotFound.

        Of a policy that another replica evaluates, as of the last `refresh`.
        """
        return self._decisions.get(self.policy(name).name)

    def desired(self, name: str) -> tuple[int, Decision]:
        """Return how many replicas there should be, for who acts on it. Raises NotFound.

        Raises Conflict for a policy in shadow mode, and Unavailable while nobody
        can tell: an assumed number would be acted on too.
        """
        decision = self.decision(self.acting(name).name)
        if decision is None or decision.desired is None:
            raise Unavailable(f"the autoscaling policy {name!r} has decided nothing yet")
        return decision.desired, decision

    async def decisions(
        self, name: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, Decision]]:
        """Return what a policy decided, the newest first. Raises NotFound, Unavailable."""
        return await self._store.list(self.policy(name).name, before=before, limit=limit)

    async def run(self) -> None:
        """Evaluate each policy at its interval, until cancelled."""
        turns: dict[str, tuple[Policy, asyncio.Task[None]]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for name, (policy, turn) in list(turns.items()):
                    if self._policies.get(name) != policy:
                        turn.cancel()
                        del turns[name]
                for name, policy in self._policies.items():
                    if name not in turns:
                        turns[name] = policy, group.create_task(self._keep(policy))
                await self._changed.wait()

    async def turn(self, policy: Policy) -> None:
        """Evaluate a policy that is this replica's, or learn what another one decided."""
        mine, was_mine = self._share.owns(key_of(policy.name)), policy.name in self._mine
        if mine != was_mine:
            log.info("autoscaling policy changes hands", policy=policy.name, mine=mine)
        if not mine:
            self._set_aside(policy)
        if not mine or not was_mine:
            await self._follow(policy)
        if mine:
            self._take_up(policy)
            await self.evaluate(policy, self._clock.now())

    async def evaluate(self, policy: Policy, now: Timestamp) -> Decision:
        """Look, decide, act if that is to be done, and keep what is new.

        What is decided while the policy becomes another replica's is neither
        acted on nor kept.
        """
        fence = self._fence(policy.name)
        state = self._states.get(policy.name, State())
        seen = await self._look(policy, state, now)
        passive = policy.mode is Mode.SHADOW or not _acts(policy)
        if passive and not _assumes(policy) and not seen.current.problem:
            state = followed(state, int(seen.current.total), now)
        state, decision = decide(policy, state, seen, now)
        decision = replace(decision, correlation_id=correlation_id())
        if decision.outcome is Outcome.RECOMMENDED:
            state, decision = await self._carry_out(policy, state, decision, fence)
        # Noted before anything is awaited again: it is what holds from here on.
        self._states[policy.name] = state
        self._note(decision)
        if fence is not None:
            await self._keep_decision(decision, fence)
        if decision.outcome is Outcome.SCALED:
            await self._announce(policy, decision)
        return decision

    async def _keep(self, policy: Policy) -> None:
        begin, seconds = self._clock.monotonic(), policy.interval / 1000
        while True:
            with correlated(new_correlation_id()):
                await self.turn(policy)
            # Turns keep to their beat, however long one takes.
            past = (self._clock.monotonic() - begin) % seconds
            await self._clock.sleep(seconds - past)

    def _take_up(self, policy: Policy) -> None:
        """Show the metrics of a policy that is this replica's from now on."""
        if policy.name not in self._mine:
            self._mine.add(policy.name)
            self._metrics.begin(policy, self._clock.now() / 1000)

    def _set_aside(self, policy: Policy) -> None:
        """Show no metrics of a policy: they would stand still while another replica's move."""
        if policy.name in self._mine:
            self._mine.remove(policy.name)
            self._metrics.forget(policy)

    async def _follow(self, policy: Policy) -> None:
        """Learn what the policy decided last, whichever replica it was."""
        try:
            found = await self._store.list(policy.name, before=None, limit=1)
        except ControlPlaneError as error:
            event = "scaling decision not read"
            self._unread.fails(event, policy=policy.name, reason=str(error))
            return
        self._unread.works("scaling decisions are read again")
        for _, decision in found:
            known = self._decisions.get(policy.name)
            if known is None or known.at < decision.at:  # else it only repeats this one
                self._learn(decision)

    def _learn(self, decision: Decision) -> None:
        """Take what another replica decided for what holds."""
        if decision == self._decisions.get(decision.policy):
            return
        self._remember(decision)
        self._decisions[decision.policy] = decision
        for listener in tuple(self._listeners):
            listener(decision)

    def _remember(self, decision: Decision) -> None:
        self._stored[decision.policy] = decision
        if decision.desired is not None and decision.outcome is not Outcome.DISABLED:
            self._states[decision.policy] = State(desired=decision.desired)

    async def _look(self, policy: Policy, state: State, now: Timestamp) -> Seen:
        names = [metric.name for metric in policy.metrics]
        current, *values = await asyncio.gather(
            self._count(policy, state, now),
            *(self._read(policy, metric.query, now) for metric in policy.metrics),
        )
        ready = count(await self._read(policy, policy.ready, now)) if policy.ready else Reading()
        number = int(ready.total) if ready.values else None
        return Seen(current, dict(zip(names, values, strict=True)), number)

    async def _count(self, policy: Policy, state: State, now: Timestamp) -> Reading:
        if policy.replicas:
            return count(await self._read(policy, policy.replicas, now))
        if policy.workload is None:
            assumed = policy.min_replicas if state.desired is None else state.desired
            return Reading((float(assumed),))
        try:
            return Reading((float(await self._scales.read(policy.workload)),))
        except ControlPlaneError as error:
            return Reading(problem=str(error))

    async def _read(self, policy: Policy, expr: str, now: Timestamp) -> Reading:
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                return reading(await self._query(policy, expr, now))
        except TimeoutError:
            seconds = {"seconds": f"{_QUERY_SECONDS:g}"}
            return Reading(problem=Sentence("no answer within %(seconds)s s", seconds))
        except ControlPlaneError as error:
            return Reading(problem=str(error))

    def _fence(self, name: str) -> Fence | None:
        """Return what must still hold when a decision of a policy is kept; None if it does not."""
        try:
            return self._share.fence([key_of(name)])
        except Fenced:
            return None

    async def _is_lost(self, name: str, fence: Fence | None) -> bool:
        """Tell whether a policy is known to be another replica's by now."""
        if fence is None or fence != self._fence(name):
            return True
        try:
            await self._store.confirm(fence)
        except Fenced:
            return True
        except Unavailable:
            return False  # nothing changes hands while the database is away
        return False

    async def _carry_out(
        self, policy: Policy, state: State, decision: Decision, fence: Fence | None
    ) -> tuple[State, Decision]:
        if policy.mode is Mode.SHADOW or not _acts(policy):
            if not _assumes(policy):
                return state, decision
            done = decision if policy.mode is Mode.SHADOW else _with(decision, Outcome.SCALED)
            return carried_out(state, decision), done
        if await self._is_lost(policy.name, fence):
            said = Sentence("another replica has taken over")
            return state, _with(decision, Outcome.RECOMMENDED, said)
        try:
            await self._act(policy, decision)
        except ControlPlaneError as error:
            log.error("scaling failed", policy=policy.name, reason=str(error))
            said = Sentence("it could not be carried out: %(error)s", {"error": str(error)})
            return state, _with(decision, Outcome.FAILED, said)
        done = _with(decision, Outcome.SCALED)
        log.info("scaled", policy=policy.name, before=decision.current, after=decision.desired)
        return carried_out(state, decision), done

    async def _act(self, policy: Policy, decision: Decision) -> None:
        if policy.workload is not None and decision.desired is not None:
            await self._scales.write(policy.workload, decision.desired)
        elif policy.webhook is not None:
            await self._hook(policy.webhook, policy, decision)

    def _note(self, decision: Decision) -> None:
        self._decisions[decision.policy] = decision
        self._metrics.note(decision)
        direction = decision.direction
        if direction:
            if self._directions.get(decision.policy, direction) != direction:
                self._metrics.turns.labels(decision.policy).inc()
            self._directions[decision.policy] = direction
        for listener in tuple(self._listeners):
            listener(decision)

    async def _keep_decision(self, decision: Decision, fence: Fence) -> None:
        repeats = decision.repeats(self._stored.get(decision.policy))
        if repeats and not fence:
            return  # there is no other replica that shows it
        try:
            await (self._store.renew if repeats else self._store.add)(decision, fence)
        except Fenced as error:
            log.info("scaling decision fenced", policy=decision.policy, reason=str(error))
        except ControlPlaneError as error:
            self._metrics.unstored.inc()
            event = "scaling decision not stored"
            self._unstored.fails(event, policy=decision.policy, reason=str(error))
        else:
            self._unstored.works("scaling decisions are stored again")
            self._stored[decision.policy] = decision

    async def _announce(self, policy: Policy, decision: Decision) -> None:
        try:
            await self._tell([told(policy, decision, self._external_url)])
        except ControlPlaneError as error:
            log.error("nobody was told of a scaling", policy=policy.name, reason=str(error))


def key_of(name: str) -> str:
    """Return the key by which replicas share the policy of a name."""
    return f"autoscaling/{name}"


def _acts(policy: Policy) -> bool:
    return policy.workload is not None or policy.webhook is not None


def _assumes(policy: Policy) -> bool:
    """Tell whether the number of replicas is what was decided last, for want of better."""
    return not policy.replicas and policy.workload is None


def _with(decision: Decision, outcome: Outcome, *said: Said) -> Decision:
    return replace(decision, outcome=outcome, steps=(*decision.steps, *said))
