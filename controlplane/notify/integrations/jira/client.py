"""Opens, changes, closes and reopens the Jira issue of a group."""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from controlplane.model.alert import AlertStatus
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, ask, refusal
from controlplane.notify.integrations.jira.options import JiraConfig
from controlplane.notify.integrations.jira.render import group_label, issue, search, search_url
from controlplane.notify.integrations.posting import Posting
from controlplane.notify.message import Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render

# Names of transitions and states are compared: they come in one language.
_HEADERS: Final = {"Content-Type": "application/json", "Accept-Language": "en"}


@dataclass(frozen=True, slots=True)
class _Issue:
    """An issue that is there: its key, such as OPS-12, and whether it is done."""

    key: str
    done: bool


class Jira(Posting[JiraConfig]):
    """One entry of `jira_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """Bring the group's issue to what the group is. Raises DeliveryError."""
        render = self._templates.renderer(notification)
        firing = notification.status is AlertStatus.FIRING
        label = group_label(notification.key)
        found = await self._find(label, render, notification.seconds, firing=firing)
        if found is None and not firing:
            return Delivery()  # somebody closed or removed it: there is nothing to end
        exists = found is not None
        body = await self._made(
            notification, lambda render: issue(self._config, label, render, exists=exists)
        )
        path = "issue" if found is None else f"issue/{quote(found.key)}"
        method = "POST" if found is None else "PUT"
        answer = await self._request(method, self._url(path), body, notification.seconds)
        if found is not None:
            await self._move(found, notification.seconds, firing=firing)
        return Delivery(status_code=answer.status_code)

    async def _find(
        self, label: str, render: Render, seconds: float, *, firing: bool
    ) -> _Issue | None:
        """Return the group's issue; of several the one that is open, or was closed last."""
        asked = search(self._config, label, render, firing=firing)
        answer = await self._request("POST", search_url(self._config), asked, seconds)
        found = _json(answer).get("issues")
        if not found:
            return None
        try:
            status = found[0]["fields"]["status"]["statusCategory"]["key"]
            return _Issue(str(found[0]["key"]), done=status == "done")
        except (KeyError, TypeError):
            raise _not_understood(answer) from None

    async def _move(self, found: _Issue, seconds: float, *, firing: bool) -> None:
        """Do the transition that the issue's state needs, if the configuration names one."""
        if firing != found.done:
            return
        wanted = self._config.reopen_transition if firing else self._config.resolve_transition
        if not wanted:
            return
        url = self._url(f"issue/{quote(found.key)}/transitions")
        answer = await self._request("GET", url, None, seconds)
        try:
            offered = {each["name"]: each["id"] for each in _json(answer)["transitions"]}
        except (KeyError, TypeError):
            raise _not_understood(answer) from None
        if wanted not in offered:
            raise DeliveryError(
                f"can't find transition {wanted} for issue {found.key}",
                reason=FailureReason.CLIENT_ERROR,
            )
        await self._request("POST", url, {"transition": {"id": offered[wanted]}}, seconds)

    async def _request(self, method: str, url: str, body: Any, seconds: float) -> Answer:
        encoded = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = await ask(self._client, method, url, encoded, headers=_HEADERS, seconds=seconds)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, answer.text, url)
        return answer

    def _url(self, path: str) -> str:
        return f"{self._config.api_url.rstrip('/')}/{path}"


def _json(answer: Answer) -> dict[str, Any]:
    """Return the object that an answer is. Raises DeliveryError."""
    try:
        said = json.loads(answer.text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _not_understood(answer)
    return said


def _not_understood(answer: Answer) -> DeliveryError:
    return DeliveryError(
        "Jira's answer is not what its API describes",
        temporary=True,
        status_code=answer.status_code,
    )
