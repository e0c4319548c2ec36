"""How groups fare that other replicas evaluate: what each tells, and what is made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.rules.ports import Report, Reports
from controlplane.rules.state import Condition, Verdict
from controlplane.rules.status import Evaluation, GroupStatus, Health, RuleStatus
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


class LocalReports:
    """The Reports of one process: a mapping."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}

    async def publish(self, reports: Mapping[str, Report]) -> None:
        self._reports.update(reports)

    async def read(self) -> Mapping[str, Report]:
        return self._reports


class Reporting:
    """What is known of groups evaluated elsewhere. Belongs to the event loop."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._known: Mapping[str, Report] = {}
        self._told: dict[str, Timestamp] = {}

    async def exchange(self, own: Iterable[GroupStatus]) -> None:
        """Tell of our own groups what others do not know yet, and learn of theirs."""
        fresh = {
            status.key: status
            for status in own
            if status.last_evaluation and self._told.get(status.key) != status.last_evaluation
        }
        try:
            if fresh:
                await self._reports.publish({key: _report(each) for key, each in fresh.items()})
                self._told |= {key: each.last_evaluation for key, each in fresh.items()}
            self._known = await self._reports.read()
        except ControlPlaneError as refused:
            log.debug("rule reports not exchanged", reason=str(refused))

    def last_evaluation(self, key: str) -> Timestamp | None:
        """Return the slot in which another replica evaluated a group last, as far as it told."""
        report = self._known.get(key)
        return None if report is None else int(report["last_evaluation"])

    def completed(self, status: GroupStatus) -> GroupStatus:
        """Return how a group fares that is not evaluated here."""
        report = self._known.get(status.key)
        if report is None or report["last_evaluation"] < status.last_evaluation:
            return status
        rules = report["rules"]
        return replace(
            status,
            last_evaluation=report["last_evaluation"],
            evaluation_seconds=report["seconds"],
            rules=tuple(_completed(rule, rules.get(rule.rule_id)) for rule in status.rules),
        )


def _report(status: GroupStatus) -> Report:
    return {
        "last_evaluation": status.last_evaluation,
        "seconds": status.evaluation_seconds,
        "rules": {rule.rule_id: _of_rule(rule) for rule in status.rules},
    }


def _of_rule(rule: RuleStatus) -> dict[str, Any]:
    return {
        "health": rule.health.value,
        "error": rule.last_error,
        "last_evaluation": rule.last_evaluation,
        "seconds": rule.evaluation_seconds,
        "samples": rule.history[-1].samples if rule.history else 0,
        "condition": rule.verdict.condition.value,
        "since": rule.verdict.since,
        "reason": rule.verdict.reason,
    }


def _completed(rule: RuleStatus, report: Mapping[str, Any] | None) -> RuleStatus:
    """Return a rule's status with what another replica told; nothing for one it did not have."""
    if report is None:
        return rule
    newest = Evaluation(
        report["last_evaluation"], report["seconds"], report["samples"], report["error"]
    )
    return replace(
        rule,
        health=Health(report["health"]),
        last_error=report["error"],
        last_evaluation=report["last_evaluation"],
        evaluation_seconds=report["seconds"],
        history=(newest,) if newest.ts else (),
        verdict=Verdict(Condition(report["condition"]), report["since"], report["reason"]),
    )
