"""What a file may say, and yet is hardly meant."""

from collections.abc import Iterator

from controlplane.config.config import Config
from controlplane.errors import Problem
from controlplane.model.matchers import Matcher
from controlplane.rules.dependencies import reads, selectors
from controlplane.rules.options import RuleGroup, RulesOptions


def doubts(config: Config) -> list[Problem]:
    """Return what an operator should know of a configuration that can be used."""
    return [] if config.remote_write else list(_unreachable(config))


def _unreachable(config: Config) -> Iterator[Problem]:
    """Yield the recording rules that another engine is asked for, and never gets."""
    options = config.rules_options("")
    asked = _asked_elsewhere(config.groups, options)
    for group in config.groups:
        for rule in group.rules:
            reader = next((each for each, wanted in asked if reads(wanted, rule)), None)
            if rule.record and reader is not None:
                yield Problem(
                    group.file,
                    rule.line,
                    f"{rule.record} is recorded here, but {reader}, which reads it, is evaluated "
                    "by a datasource that never gets it: there is no remote_write",
                )


def _asked_elsewhere(
    groups: tuple[RuleGroup, ...], options: RulesOptions
) -> list[tuple[str, tuple[tuple[Matcher, ...], ...]]]:
    """Return name and selectors of every rule that another engine evaluates."""
    return [
        (rule.name, selectors(rule.expr))
        for group in groups
        for rule in group.rules
        if options.engine(group, rule) is not None
    ]
