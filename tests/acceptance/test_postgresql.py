"""The service on a real PostgreSQL, migrated by its own command."""

from pathlib import Path

import pytest

from controlplane.demo.standins import WebhookStandIn
from tests.acceptance.house import configuration, shop, write_rules
from tests.support import postgres
from tests.support.service import PATIENCE, Service, eventually, run_command


@pytest.mark.slow
async def test_postgresql_is_migrated_by_command_and_served(tmp_path: Path) -> None:
    """`serve` refuses an empty schema and names the command; after it, the main job is done."""
    with postgres.server().database() as url:
        driver = url.replace("postgresql://", "postgresql+asyncpg://")
        rules = write_rules(tmp_path / "shop.rules.yml")
        async with shop() as shop_, WebhookStandIn() as hook:
            receiver = {"webhook_configs": [{"url": hook.url}]}
            config = configuration(receiver, storage={"url": driver}, rule_files=[rules])
            service = Service(tmp_path, config)
            try:
                words = ("--config", str(service.config))
                data = ("--data-dir", str(service.data), "--listen", "127.0.0.1:0")
                code, _, errors = await run_command("serve", *words, *data)
                assert (code, "controlplane migrate" in errors) == (1, True)
                code, out, errors = await run_command("migrate", *words)
                assert (code, errors) == (0, "")
                assert "schema none -> " in out
                code, out, _ = await run_command("migrate", *words)
                assert (code, "nothing to do" in out) == (0, True)
                await service.start()
                shop_.status = 500
                await service.register("checkout", shop_.url)
                await hook.wait_for(lambda: len(hook.payloads) == 1, PATIENCE)
                await service.kill()
                await service.start()

                async def known() -> bool:
                    items = (await service.get("/api/v1/targets"))["items"]
                    return [item["name"] for item in items] == ["checkout"]

                await eventually(known, "the target after a restart")
            finally:
                # It must be gone before its database is.
                await service.close()
