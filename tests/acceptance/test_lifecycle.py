"""How the process begins and ends: drained by SIGTERM, alone in its directory."""

import asyncio
from pathlib import Path

from controlplane.demo.standins import Fault, WebhookStandIn
from tests.acceptance.house import configuration, shop, write_rules
from tests.support.service import (
    PATIENCE,
    Service,
    eventually,
    run_command,
    running,
    start_command,
)


async def test_the_package_is_a_program(tmp_path: Path) -> None:
    """`python -m controlplane serve` says where it listens, and ends with 0."""
    words = ("serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"))
    process = await start_command(*words)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while b'"event": "serving"' not in (line := await process.stderr.readline()):
                assert line, "it ended"
            process.terminate()
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert (process.returncode, out) == (0, b"")


async def test_sigterm_drains(tmp_path: Path) -> None:
    """It ends with 0 within its grace, and a delivery under way is finished first."""
    async with shop() as shop_, WebhookStandIn() as hook:
        hook.fail_next(Fault.answer(503))
        rules = write_rules(tmp_path / "shop.rules.yml")
        config = configuration({"webhook_configs": [{"url": hook.url}]}, rule_files=[rules])
        environment = {"CONTROLPLANE_SHUTDOWN_GRACE": "10s"}
        async with running(tmp_path, config, environment=environment) as service:
            shop_.status = 500
            await service.register("checkout", shop_.url)
            await hook.wait_for(lambda: hook.requests >= 1)
            async with asyncio.timeout(PATIENCE):
                assert await service.terminate() == 0
            assert [line["event"] for line in service.lines][-1] == "stopped"
            assert not [line for line in service.lines if line.get("level") == "error"]
            await service.start()
            await hook.wait_for(lambda: len(hook.payloads) == 1, PATIENCE)


async def test_a_directory_has_one_process(tmp_path: Path) -> None:
    """A second one is refused with exit code 1; after kill -9 the directory is free."""
    async with running(tmp_path, configuration()) as service:
        words = ("serve", "--config", str(service.config), "--data-dir", str(service.data))
        code, out, errors = await run_command(*words, "--listen", "127.0.0.1:0")
        assert code == 1
        assert errors.startswith("controlplane: ")
        assert str(service.data) in errors
        assert "Traceback" not in out + errors
        assert (await service.get("/ready"))["status"] == "ready"
        await service.kill()
        await service.start()


async def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """The message names the address; the exit code is 1."""
    async with running(tmp_path, configuration()) as service:
        address = service.url.removeprefix("http://")
        other = tmp_path / "other"
        code, _, errors = await run_command("serve", "--listen", address, "--data-dir", str(other))
        assert (code, address in errors) == (1, True)


async def test_a_bad_configuration_does_not_start(tmp_path: Path) -> None:
    """Every problem is told with file and line; the exit code is 1."""
    service = Service(tmp_path, {"global": {"scrape_intervall": "1s"}, "rout": {}})
    words = ("serve", "--config", str(service.config), "--data-dir", str(service.data))
    code, _, errors = await run_command(*words)
    await service.close()
    assert code == 1
    assert "scrape_intervall" in errors
    assert "rout" in errors
    assert f"{service.config}:" in errors


async def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    """Without one the service does not start, and says which variable to set."""
    words = ("serve", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "data"))
    code, _, errors = await run_command(*words)
    assert (code, "CONTROLPLANE_API_TOKEN" in errors) == (1, True)


async def test_a_full_disk_is_told_and_outlived(tmp_path: Path) -> None:
    """It goes on answering, refuses what it cannot keep, says why, and recovers."""
    async with shop() as shop_, running(tmp_path, configuration()) as service:
        await service.register("checkout", shop_.url)

        async def up() -> bool:
            return await service.value("probe_success") == 1

        async def unwell() -> list[str]:
            checks = (await service.request("GET", "/ready")).json()["checks"]
            return [name for name, check in checks.items() if not check["ok"]]

        async def both_unwell() -> bool:
            return await unwell() == ["database", "store"]

        async def well() -> bool:
            return await unwell() == []

        await eventually(up, "a good probe")
        service.fill_disk()
        body = {"name": "late", "url": shop_.url}
        refused = await service.request("POST", "/api/v1/targets", json=body)
        assert refused.status_code == 503
        assert str(tmp_path) not in refused.text
        await eventually(both_unwell, "that neither database nor store can be written")
        unready = await service.request("GET", "/ready")
        assert unready.status_code == 503
        suffering = {name: each.get("roles") for name, each in unready.json()["checks"].items()}
        assert suffering["database"] == ["api", "evaluator", "notifier"]
        assert suffering["store"] == ["api", "evaluator", "prober"]
        assert suffering["loops"] is None
        assert (await service.get("/health"))["status"] == "ok"
        assert await up()
        service.free_disk()
        assert (await service.request("POST", "/api/v1/targets", json=body)).status_code == 201
        await eventually(well, "a service that is ready again")
