"""`apprise_configs`: ours, not Alertmanager's."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.secret import Secret

FORMATS: Final = ("text", "markdown", "html")


@dataclass(frozen=True, slots=True)
class AppriseConfig:
    """One entry of `apprise_configs`. `url` is no template, and secret as a whole.

    `type` is rendered to `info`, `success`, `warning` or `failure`; `format` says what the
    body is written in: `text`, `markdown` or `html`.
    """

    url: Secret
    send_resolved: bool = True
    title: str = '{{ template "controlplane.apprise.title" . }}'
    body: str = '{{ template "controlplane.apprise.body" . }}'
    format: str = "text"
    type: str = '{{ if eq .Status "firing" }}failure{{ else }}success{{ end }}'
    timeout: Duration = 0
