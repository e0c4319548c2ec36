"""`rule_files` and `rule_settings`: where rules stand, and what is ours about them."""

from typing import Final

from controlplane.config.dependencies import DEPENDENCIES
from controlplane.config.kinds import BOOLEAN, REGEX, member
from controlplane.config.remote import OwnDatasource
from controlplane.config.schema import Key, ListOf, Section
from controlplane.rules.options import RuleMatch, RuleSettings
from controlplane.rules.state import Policy

RULE_MATCH: Final = Section(
    "rule_match",
    RuleMatch,
    {"file": Key(REGEX), "group": Key(REGEX), "alertname": Key(REGEX)},
)
RULE_SETTING: Final = Section(
    "rule_setting",
    RuleSettings,
    {
        "match": Key(RULE_MATCH, required=True),
        "reactive": Key(BOOLEAN),
        "datasource": Key(OwnDatasource()),
        "no_data": Key(member(Policy)),
        "error": Key(member(Policy)),
        "depends_on": Key(DEPENDENCIES),
    },
)
RULE_SETTINGS: Final = ListOf("a list of rule settings", RULE_SETTING)
