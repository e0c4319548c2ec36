"""The same alerts through both programs, for what each then asks the services of."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.config.loader import load
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from tests.conformance.test_alertmanager_payload import post
from tests.support.alerting import EXTERNAL_URL, alerting
from tests.support.alertmanager import alertmanager
from tests.support.outbound import surroundings

_SECONDS: Final = 40


async def tell_both(
    directory: Path,
    given: Callable[[int], list[Alert]],
    *,
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    done: Callable[[], bool],
    hosts: str = "/etc/hosts",
) -> None:
    """Have both tell of alerts, each by its configuration, until all is done or time is up."""
    file = directory / "ours.yml"
    file.write_text(yaml.safe_dump(ours))
    config = load(file)
    async with (
        alertmanager(directory, theirs, f"--web.external-url={EXTERNAL_URL}") as url,
        surroundings(hosts=hosts) as around,
        alerting(directory, config.route, config.receivers, around=around) as system,
    ):
        alerts = given(system.clock.now())
        await asyncio.gather(post(url, alerts), system.alerts.put(alerts))
        with suppress(TimeoutError):  # what is missing is told by who compares
            async with asyncio.timeout(_SECONDS):
                while not done():
                    await system.clock.sleep(0.2)


def awkward(now: int, name: str) -> list[Alert]:
    """Return groups with some that fire and some that end soon, with awkward texts.

    `name` is the label that has them where a group is told as a whole.
    """
    sets: list[tuple[dict[str, str], bool]] = [
        ({"alertname": "Slow", "instance": "a", "job": "x <&>"}, True),
        ({"alertname": "Slow", "instance": "b", "job": "x <&>"}, False),
        ({"alertname": "Down", "severity": "critical"}, True),
        ({"alertname": "Slow", "instance": "c", name: "x/y?z", "whole": "yes"}, True),
        ({"alertname": "Broken", "instance": "d", name: "é☃", "whole": "yes"}, True),
    ]
    return [
        Alert(
            Labels(labels),
            starts_at=now - place,
            ends_at=now + (3_000 if ends else 3_600_000),
            updated_at=now,
            annotations=Labels(
                {"summary": f"'{place}' <is> \"slow\" & ü+", "place": "one" * (place < 2)}
                if place < 4
                else {}
            ),
            generator_url=f"http://prometheus/graph?g0.expr={place}&x=<>",
        )
        for place, (labels, ends) in enumerate(sets)
    ]


def parts(written: Sequence[str]) -> list[Any]:
    return [json.loads(each) for each in written]
