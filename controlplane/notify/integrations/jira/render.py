"""What Jira is asked for and told: the search for a group's issue, and the issue's fields."""

import json
from typing import Any, Final
from urllib.parse import urlsplit

from controlplane.clock import Duration
from controlplane.model.duration import MINUTE
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.jira.options import JiraConfig
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.message import FailureReason
from controlplane.notify.rendering import Render, render_tree, truncate

MAX_SUMMARY: Final = 255
MAX_DESCRIPTION: Final = 32_767


def group_label(key: str) -> str:
    """Return the label by which the issue of a group is found again."""
    return f"ALERT{{{dedup_key(key)}}}"


def search(config: JiraConfig, label: str, render: Render, *, firing: bool) -> dict[str, Any]:
    """Return the search for the issue of a group: open, or closed not long ago if it can reopen."""
    wont_fix = config.wont_fix_resolution
    # An issue that is open has no resolution, and no resolution is not unequal to one.
    left_out = f"(resolution is EMPTY or resolution != {_quote(wont_fix)}) and "
    jql = (
        f"{left_out if wont_fix else ''}{_which(config, firing=firing)} and "
        f"project={_quote(render(config.project))} and labels={_quote(label)} "
        "order by status ASC,resolutiondate DESC"
    )
    return {"jql": jql, "maxResults": 2, "fields": ["status"]}


def _which(config: JiraConfig, *, firing: bool) -> str:
    minutes: Duration = config.reopen_duration // MINUTE
    if firing and config.reopen_transition and minutes > 0:
        return f"(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m)"
    return "statusCategory != Done"


def search_url(config: JiraConfig) -> str:
    """Return where to search: Jira's cloud has it elsewhere than its own program."""
    base = config.api_url.rstrip("/")
    host = urlsplit(base).netloc
    in_cloud = config.api_type == "auto" and host.endswith("atlassian.net")
    if config.api_type == "cloud" or in_cloud:
        return f"{base}/search/jql".replace("/rest/api/2/", "/rest/api/3/", 1)
    return f"{base}/search"


def issue(config: JiraConfig, label: str, render: Render, *, exists: bool) -> dict[str, Any]:
    """Return the issue; of one that exists, only what may be changed of summary and description.

    Raises DeliveryError for a description that version 3 of the API does not take.
    """
    summary = truncate(render(config.summary.template), MAX_SUMMARY)
    description = _description(config, render)
    priority = render(config.priority)
    fields: dict[str, Any] = {
        "project": {"key": render(config.project)},
        "issuetype": {"name": render(config.issue_type)},
        "labels": sorted([*(render(each) for each in config.labels), label]),
    }
    if config.summary.enable_update or not exists:
        fields["summary"] = summary
    if description and (config.description.enable_update or not exists):
        fields["description"] = description
    if priority:
        fields["priority"] = {"name": priority}
    own = {name: render_tree(value, render) for name, value in config.fields.items()}
    return {"fields": {**fields, **own}}


def _description(config: JiraConfig, render: Render) -> Any:
    """Return text, or for version 3 of the API the document that the text writes in JSON."""
    text = truncate(render(config.description.template), MAX_DESCRIPTION)
    if not urlsplit(config.api_url).path.rstrip("/").endswith("/3"):
        return text
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise DeliveryError(
            "description: version 3 of Jira's API takes a document in JSON, and this is none",
            reason=FailureReason.CLIENT_ERROR,
        ) from None


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
