"""The client that `make api-client` makes from the committed document, against the service."""

import asyncio
import importlib
import os
import sys
from pathlib import Path

import pytest

from tests.acceptance.house import configuration
from tests.support.service import run_program, running

DOCUMENT = Path(__file__).parents[2] / "docs/openapi.json"


@pytest.mark.slow
async def test_a_generated_client_registers_and_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types and calls made from docs/openapi.json fit what the service answers."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    package = tmp_path / "generated_api"
    words = ("generate", "--path", str(DOCUMENT), "--meta", "none", "--output-path", str(package))
    code, _, errors = await run_program("openapi-python-client", *words)
    assert code == 0, errors
    monkeypatch.syspath_prepend(str(tmp_path))
    api = importlib.import_module("generated_api")
    register = importlib.import_module("generated_api.api.targets.register_api_v1_targets_post")
    list_all = importlib.import_module("generated_api.api.targets.list_targets_api_v1_targets_get")
    home = tmp_path / "service"
    home.mkdir()
    async with running(home, configuration()) as service:
        client = api.Client(base_url=service.url)
        given = importlib.import_module("generated_api.models").TargetIn(
            name="made", url="http://127.0.0.1:1/", interval="1m"
        )
        made = await asyncio.to_thread(register.sync, client=client, body=given)
        assert (made.name, made.interval, made.provenance) == ("made", "1m", "api")
        found = await asyncio.to_thread(list_all.sync, client=client)
        assert [target.name for target in found.items] == ["made"]
