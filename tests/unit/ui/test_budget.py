"""What the first page costs a reader's connection."""

import json
import re
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.unit.api.conftest import application

_TARGETS: Final = 10_000
_ALERTS: Final = 500
_BUDGET: Final = 150_000


@pytest.mark.slow
async def test_the_first_page_stays_small(tmp_path: Path) -> None:
    """Under 150 kB with 10,000 targets and 500 alerts: page, styles, scripts, the map's names."""
    targets = [
        {"name": f"t{n}", "url": f"http://127.0.0.1:1/{n}", "labels": {"team": f"team-{n % 40}"}}
        for n in range(_TARGETS)
    ]
    configuration = {
        "global": {"scrape_interval": "1h", "evaluation_interval": "1h"},
        "targets": targets,
    }
    async with application(tmp_path, json.dumps(configuration)) as api:
        alerts = [
            {
                "labels": {
                    "alertname": f"Broken{n % 25}",
                    "instance": f"t{n}",
                    "severity": "critical",
                },
                "annotations": {"summary": f"t{n} does not answer, and has not for some time"},
            }
            for n in range(_ALERTS)
        ]
        answer = await api.post("/alertmanager/api/v2/alerts", json=alerts)
        assert answer.status_code == 200, answer.text
        page = await api.get("/", headers={"accept-encoding": "gzip"})
        assert page.status_code == 200
        assert "Broken1" in page.text
        linked = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js|svg))"', page.text)
        sizes = {"/": _wire(page)}
        for path in {*linked, "/fleet"}:
            found = await api.get(path, headers={"accept-encoding": "gzip"})
            assert found.status_code == 200, path
            sizes[path] = _wire(found)
    assert sum(sizes.values()) < _BUDGET, sizes


def _wire(answer: httpx.Response) -> int:
    """Return how many bytes a body took on its way."""
    return int(answer.headers["content-length"])
