"""The alerting half as a process of its own, to be killed: `python -m tests.support.notifier`.

Arguments: a directory and PagerDuty's address. Each line of its input is `fire
NAME` or `resolve NAME`; it answers `accepted NAME` once the alert is durable.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from controlplane.model.secret import Secret
from controlplane.notify.options import PagerdutyConfig, Receiver
from controlplane.routing.options import Route
from tests.support.alerting import QUICK, alerting, firing, resolved

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
ROUTE = Route(receiver="ops", group_by=("...",), group_wait=0, group_interval=30)


async def main(directory: str, url: str) -> None:
    """Take commands from standard input until it ends."""
    config = PagerdutyConfig(Secret(ROUTING_KEY), url=url)
    receivers = [Receiver("ops", pagerduty_configs=(config,))]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    options = replace(QUICK, timeout=2_000)
    async with alerting(Path(directory), ROUTE, receivers, options=options) as system:
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
    asyncio.run(main(sys.argv[1], sys.argv[2]))
