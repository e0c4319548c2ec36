"""What a prober is: a function that makes ready to probe one target in one way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlplane.clock import Clock
from controlplane.probes.options import Module
from controlplane.probes.outcome import Evidence, Outcome, Reason
from controlplane.telemetry.logs import get_logger
from controlplane.transport.client import Client
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import Resolver

log = get_logger(__name__)

# Is called once with the outcome, on the event loop.
Done = Callable[[Outcome], None]
# Starts one probe that may take so many seconds, and returns at once.
Start = Callable[[float, Done], None]
AsyncProbe = Callable[["Tools", str, Module, float], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a prober may use. `verbose` asks for evidence of successes too."""

    client: Client
    resolver: Resolver
    policy: OutboundPolicy
    clock: Clock
    verbose: bool = False


# Everything about the target and the module that can be prepared, is; what is
# returned starts one probe each time it is called. It must not raise for
# anything that a module or a target can hold: such a probe fails with a reason.
Prober = Callable[[Tools, str, Module], Start]


def awaited(probe: AsyncProbe) -> Prober:
    """Return the prober that runs `probe(tools, target, module, timeout)` as a task.

    `timeout` is in seconds; the coroutine keeps it, ending with Reason.TIMEOUT.
    """
    running: set[asyncio.Task[None]] = set()

    def prober(tools: Tools, target: str, module: Module) -> Start:
        async def run(timeout: float, done: Done) -> None:
            try:
                outcome = await probe(tools, target, module, timeout)
            except Exception:
                log.exception("prober failed", target=target)
                outcome = Outcome(
                    success=False,
                    duration=0.0,
                    reason=Reason.INTERNAL,
                    evidence=Evidence("the prober failed"),
                )
            done(outcome)

        def start(timeout: float, done: Done) -> None:
            task = asyncio.get_running_loop().create_task(run(timeout, done))
            running.add(task)
            task.add_done_callback(running.discard)

        return start

    return prober
