"""A chat, a ticket and a service of Apprise's: what began is told, and its end, through faults."""

from pathlib import Path

from aiohttp import web

from controlplane.model.secret import Secret
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.integrations.jira.options import JiraConfig
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from tests.support.alerting import alerting, firing, resolved
from tests.support.outbound import surroundings
from tests.support.recorder import Request, recorder
from tests.unit.notify.test_tickets import JiraProject

AT_ONCE = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=50)


class Services:
    """Fails the first two requests of each service, then takes all."""

    def __init__(self) -> None:
        self.jira = JiraProject()
        self.taken: dict[str, list[Request]] = {"discord": [], "apprise": [], "rest": []}
        self._asked = dict.fromkeys(self.taken, 0)

    def __call__(self, request: Request) -> web.Response:
        name = request.path.split("/")[1]
        self._asked[name] += 1
        if self._asked[name] <= 2:
            return web.Response(status=503 if self._asked[name] == 1 else 429)
        self.taken[name].append(request)
        return self.jira(request) if name == "rest" else web.json_response({})

    def told(self, *, firing: int, moved: int) -> bool:
        """Tell whether each service heard so much."""
        chats = (len(self.taken[name]) for name in ("discord", "apprise"))
        return min(chats) >= firing and bool(self.jira.issues) and len(self.jira.moved) >= moved


async def test_the_start_and_the_end_are_told_through_faults(tmp_path: Path) -> None:
    """Each is tried again until it is taken; the issue is one, and closed."""
    services = Services()
    async with recorder(services) as site, surroundings() as around:
        jira = JiraConfig(f"{site.url}/rest/api/2", "OPS", "Bug", resolve_transition="Done")
        ops = Receiver(
            "ops",
            discord_configs=(DiscordConfig(Secret(f"{site.url}/discord")),),
            jira_configs=(jira,),
            apprise_configs=(AppriseConfig(Secret(f"json://127.0.0.1:{site.port}/apprise")),),
        )
        async with alerting(tmp_path, AT_ONCE, [ops], around=around) as system:
            alert = firing(system.clock.now())
            await system.alerts.put([alert])
            await site.wait_for(lambda: services.told(firing=1, moved=0), seconds=60)
            await system.alerts.put([resolved(alert, system.clock.now())])
            await site.wait_for(lambda: services.told(firing=2, moved=1), seconds=60)
            while await system.store.open_incidents():
                await system.clock.sleep(0.02)
    colors = [each.body["embeds"][0]["color"] for each in services.taken["discord"]]
    assert colors == [0x992D22, 0x2ECC71]
    assert [each.body["type"] for each in services.taken["apprise"]] == ["failure", "success"]
    assert (len(services.jira.issues), services.jira.moved) == (1, [("OPS-1", "Done")])
