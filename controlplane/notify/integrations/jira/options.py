"""`jira_configs`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.options import HTTP_DEFAULTS, Templated, required
from controlplane.transport.options import HTTPClientConfig

API_TYPES: Final = ("auto", "cloud", "datacenter")


@dataclass(frozen=True, slots=True)
class JiraText:
    """A field of the issue; without `enable_update` it is written once, when the issue opens."""

    template: str = ""
    enable_update: bool = True


SUMMARY: Final = JiraText('{{ template "jira.default.summary" . }}')
DESCRIPTION: Final = JiraText('{{ template "jira.default.description" . }}')


@dataclass(frozen=True, slots=True)
class JiraConfig:
    """One entry of `jira_configs`. `api_url` ends with the version: `.../rest/api/2`."""

    api_url: str
    project: str
    issue_type: str
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_type: str = "auto"
    summary: JiraText = SUMMARY
    description: JiraText = DESCRIPTION
    labels: tuple[str, ...] = ()
    priority: str = '{{ template "jira.default.priority" . }}'
    reopen_transition: str = ""  # names as Jira shows them, no templates
    resolve_transition: str = ""
    wont_fix_resolution: str = ""
    reopen_duration: Duration = 0
    fields: Mapping[str, Templated] = field(default_factory=dict)
    timeout: Duration = 0

    def __post_init__(self) -> None:
        required(self, "project", "Jira")
        required(self, "issue_type", "Jira")
        if self.api_type not in API_TYPES:
            raise InvalidInput(f"api_type is none of {', '.join(API_TYPES)}", pointer="/api_type")
