"""What a file may say, and yet is hardly meant."""

from collections.abc import Iterator

from controlplane.config.config import Config
from controlplane.errors import Problem
from controlplane.model.matchers import Matcher
from controlplane.rules.dependencies import reads, selectors
from controlplane.rules.options import RuleGroup, RulesOptions


def doubts(config: Config) -> list[Problem]:
    """Return what an operator should know of a configuration that can be used."""
    options = config.rules_options("")
    recorded = _late if config.remote_write else _unreachable
    return [*recorded(config, options), *_apart(config, options)]


def _late(config: Config, options: RulesOptions) -> Iterator[Problem]:
    """Yield the rules that never see what their group has just recorded for them."""
    for group in config.groups:
        for i, rule in enumerate(group.rules):
            if options.engine(group, rule) is None:
                continue
            wanted = selectors(rule.expr)
            earlier = next((one for one in group.rules[:i] if reads(wanted, one)), None)
            if earlier is not None and earlier.record:
                yield Problem(
                    group.file,
                    rule.line,
                    f"{rule.name} reads {earlier.record}, which its group records just before, "
                    "but is evaluated by a datasource that gets it later: it sees what the "
                    "evaluation before gave",
                )


def _apart(config: Config, options: RulesOptions) -> Iterator[Problem]:
    """Yield the rules that see the samples of one replica only, whichever has them."""
    if config.cluster.url is None:
        return
    for group in config.groups:
        for rule in group.rules:
            if options.engine(group, rule) is None:
                yield Problem(
                    group.file,
                    rule.line,
                    f"{rule.name} is evaluated by our own engine, and so sees only what the "
                    "replica has measured itself that evaluates it",
                )


def _unreachable(config: Config, options: RulesOptions) -> Iterator[Problem]:
    """Yield the recording rules that another engine is asked for, and never gets."""
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
