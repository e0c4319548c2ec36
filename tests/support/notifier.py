"""The alerting half as a process of its own, to be killed: `python -m tests.support.notifier`.

Arguments: a directory, PagerDuty's address and the limit of an attempt in
milliseconds. Each line of its input is `fire NAME` or `resolve NAME`; it
answers `accepted NAME` once the alert is durable.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from controlplane.model.secret import Secret
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.transport.breaker import BreakerOptions
from tests.support.alerting import QUICK, alerting, firing, resolved
from tests.support.outbound import surroundings

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
ROUTE = Route(receiver="ops", group_by=("...",), group_wait=0, group_interval=30)
BREAKER = BreakerOptions(threshold=5, pause=0.1, longest_pause=0.2)


async def main(directory: str, url: str, timeout: str) -> None:
    """Take commands from standard input until it ends."""
    config = PagerdutyConfig(Secret(ROUTING_KEY), url=url)
    receivers = [Receiver("ops", pagerduty_configs=(config,))]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    options = replace(QUICK, timeout=int(timeout))
    async with (
        surroundings() as around,
        alerting(
            Path(directory), ROUTE, receivers, options=options, breaker=BREAKER, around=around
        ) as system,
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := (await reader.readline()).decode().split():
            alert = firing(system.clock.now(), name=line[1])
            if line[0] == "resolve":
                alert = resolved(alert, system.clock.now())
            await system.alerts.put([alert])
            sys.stdout.write(f"accepted {line[1]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
