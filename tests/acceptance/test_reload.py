"""A new configuration in a running service: taken as a whole, or refused with its reason."""

import os
import signal
from pathlib import Path

from controlplane.demo.standins import WebhookStandIn
from tests.acceptance.house import configuration, shop, write_rules
from tests.support.service import Service, eventually, running

_UNUSED = "http://127.0.0.1:1/"


async def _names(service: Service) -> set[str]:
    return {target["name"] for target in (await service.get("/api/v1/targets"))["items"]}


async def test_a_good_file_changes_everything(tmp_path: Path) -> None:
    """SIGHUP brings other targets, rules and receivers; what the API registered stays."""
    async with shop() as shop_, WebhookStandIn() as old, WebhookStandIn() as new:
        shop_.status = 500
        hooks = {"webhook_configs": [{"url": f"{old.url}/old"}]}
        first = configuration(hooks, targets=[{"name": "first", "url": _UNUSED}])
        async with running(tmp_path, first) as service:
            await service.register("checkout", shop_.url)
            rules = write_rules(tmp_path / "shop.rules.yml")
            hooks = {"webhook_configs": [{"url": f"{new.url}/new"}]}
            targets = [{"name": "second", "url": _UNUSED}]
            service.configure(configuration(hooks, targets=targets, rule_files=[rules]))
            service.hang_up()
            await service.logged("configuration reloaded")
            assert await _names(service) == {"second", "checkout"}
            groups = (await service.get("/prometheus/api/v1/rules"))["data"]["groups"]
            assert [group["name"] for group in groups] == ["shop"]
            await new.wait_for(lambda: len(new.payloads) >= 2)
            assert old.payloads == []


async def test_a_bad_file_is_refused_and_the_old_stays(tmp_path: Path) -> None:
    """The answer is 422 with file and line, the log has the reason, nothing changed."""
    good = configuration(targets=[{"name": "first", "url": _UNUSED}])
    async with running(tmp_path, good) as service:
        service.configure({**good, "targets": [], "receivrs": []})
        refused = await service.request("POST", "/-/reload")
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["type"] == "urn:controlplane:problem:invalid-config"
        assert problem["errors"][0]["pointer"].startswith(f"{service.config}:")
        assert "receivrs" in problem["errors"][0]["detail"]
        assert await _names(service) == {"first"}
        service.config.write_text("global: [")
        service.hang_up()

        async def look() -> bool:
            return len(service.events("configuration refused")) == 2

        await eventually(look, "two refusals in the log")
        assert await _names(service) == {"first"}
        metrics = (await service.request("GET", "/metrics")).text
        assert "controlplane_config_last_reload_successful 0.0" in metrics
        service.configure(configuration())
        assert (await service.request("POST", "/-/reload")).status_code == 200
        assert await _names(service) == set()


async def test_a_target_whose_module_is_gone_says_so(tmp_path: Path) -> None:
    """It stays, failing with reason `config`, until the module is back."""
    module = {"prober": "http", "timeout": "2s"}
    async with shop() as shop_:
        with_module = configuration(modules={"strict": module})
        async with running(tmp_path, with_module) as service:
            await service.register("checkout", shop_.url, module="strict")

            async def up() -> bool:
                return await service.value("probe_success") == 1

            async def refused() -> bool:
                return await service.value('probe_failure_info{reason="config"}') == 1

            await eventually(up, "a good probe")
            service.configure(configuration())
            assert (await service.request("POST", "/-/reload")).status_code == 200
            await eventually(refused, "a probe that fails with reason config")
            service.configure(with_module)
            assert (await service.request("POST", "/-/reload")).status_code == 200
            await eventually(up, "a good probe again")


async def test_secret_files_are_read_anew(tmp_path: Path) -> None:
    """A new API token and a new address of a receiver need neither restart nor reload."""
    token, address = tmp_path / "token", tmp_path / "hook"
    token.write_text("first-token\n")
    async with shop() as shop_, WebhookStandIn() as hook:
        address.write_text(f"{hook.url}/first\n")
        rules = write_rules(tmp_path / "shop.rules.yml")
        hooks = {"webhook_configs": [{"url_file": str(address)}]}
        config = configuration(hooks, rule_files=[rules])
        environment = {"CONTROLPLANE_API_TOKEN_FILE": str(token)}
        async with running(tmp_path, config, environment=environment) as service:
            assert (await service.request("GET", "/api/v1/targets")).status_code == 401
            old, new = ({"Authorization": f"Bearer {each}-token"} for each in ("first", "second"))
            assert (await service.request("GET", "/api/v1/targets", headers=old)).status_code == 200
            token.write_text("second-token\n")
            assert (await service.request("GET", "/api/v1/targets", headers=old)).status_code == 401
            body = {"name": "checkout", "url": shop_.url}
            shop_.status = 500
            found = await service.request("POST", "/api/v1/targets", headers=new, json=body)
            assert found.status_code == 201
            await hook.wait_for(lambda: len(hook.received) == 1)
            address.write_text(f"{hook.url}/second\n")
            shop_.status = 200
            await hook.wait_for(lambda: len(hook.received) == 2)
            assert [message.where for message in hook.received] == ["/first", "/second"]
            log = str(service.lines)
            assert "-token" not in log


async def test_reloads_at_once_are_all_taken(tmp_path: Path) -> None:
    """Ten signals in a row leave the service with the last file, and alive."""
    async with running(tmp_path, configuration()) as service:
        for number in range(10):
            service.configure(configuration(targets=[{"name": f"t{number}", "url": _UNUSED}]))
            os.kill(service.process.pid, signal.SIGHUP)

        async def look() -> bool:
            return await _names(service) == {"t9"}

        await eventually(look, "the last file's target")
