"""`jira_configs` (Alertmanager 0.34)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from controlplane.config.findings import Findings
from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import BOOLEAN, DURATION, TEXT, choice
from controlplane.config.places import URL
from controlplane.config.schema import Key, Kind, Leaf, ListOf, MapOf, Section
from controlplane.config.templates import Check, TemplateTree, template
from controlplane.model.marked_yaml import Node, Scalar
from controlplane.notify.integrations.jira.options import (
    API_TYPES,
    DESCRIPTION,
    SUMMARY,
    JiraConfig,
    JiraText,
)


class _TextOrMore(Kind[JiraText]):
    """A template, or a mapping with it and with whether it is written again."""

    __slots__ = ("_section", "_text")

    def __init__(self, text: Leaf[str], default: JiraText) -> None:
        self._text = text
        self._section = Section(
            "jira_field",
            partial(JiraText, template=default.template),
            {"template": Key(text), "enable_update": Key(BOOLEAN)},
        )

    def read(self, node: Node, found: Findings, /) -> JiraText:
        if isinstance(node, Scalar):
            return JiraText(self._text.read(node, found))
        return self._section.read(node, found)

    def show(self, value: JiraText) -> object:
        return value.template if value.enable_update else self._section.show(value)

    def sections(self) -> Iterator[Section[Any]]:
        return self._section.sections()


def jira_config(defaults: GlobalOptions, check: Check) -> Section[JiraConfig]:
    """Return the section of one entry of `jira_configs`."""
    text = template(check)
    return posting(
        "jira_config",
        JiraConfig,
        defaults,
        {
            "api_url": Key(URL),
            "api_type": Key(choice(*API_TYPES)),
            "project": Key(text, required=True),
            "issue_type": Key(text, required=True),
            "summary": Key(_TextOrMore(text, SUMMARY)),
            "description": Key(_TextOrMore(text, DESCRIPTION)),
            "labels": Key(ListOf("a list of texts", text)),
            "priority": Key(text),
            "reopen_transition": Key(TEXT),
            "resolve_transition": Key(TEXT),
            "wont_fix_resolution": Key(TEXT),
            "reopen_duration": Key(DURATION),
            "fields": Key(MapOf("a mapping of fields", TemplateTree(check))),
        },
        inherits={"api_url": "jira_api_url"},
    )
