"""Autoscaling policies: how many replicas each wants, how many there are, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.options import Mode, Policy
from controlplane.autoscale.sentence import spoken
from controlplane.ui.console import Page

PATH: Final = "/autoscaling"
# The signs of the console, by what came of a decision.
SIGNS: Final[Mapping[Outcome | None, str]] = {
    Outcome.SCALED: "sent",
    Outcome.RECOMMENDED: "pending",
    Outcome.UNCHANGED: "ok",
    Outcome.HELD: "unknown",
    Outcome.DISABLED: "paused",
    Outcome.FAILED: "failed",
    None: "unknown",
}


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as the list shows it. `said` is its last decision in one sentence."""

    policy: Policy
    decision: Decision | None
    sign: str
    word: str
    said: str
    reason: str


async def show(page: Page) -> Response:
    """Show all policies in the order of the file."""
    scaler = page.on.autoscaler
    rows = [row_of(page, each, scaler.decision(each.name)) for each in scaler.policies()]
    context = {"rows": rows, "modes": words_of_mode(page)}
    return page.render("autoscaling.html", context)


def row_of(page: Page, policy: Policy, decision: Decision | None) -> PolicyRow:
    """Return a policy with its last decision in words."""
    outcome = None if decision is None else decision.outcome
    return PolicyRow(
        policy,
        decision,
        SIGNS[outcome],
        words_of_outcome(page)[outcome],
        sentence(page, decision),
        reason(page.say, decision),
    )


def sentence(page: Page, decision: Decision | None) -> str:
    """Return what was decided, in one sentence."""
    if decision is None:
        return page.say("It has decided nothing yet.")
    texts = {
        Outcome.SCALED: page.say("Scaled from %(current)s to %(desired)s."),
        Outcome.RECOMMENDED: page.say("%(desired)s would be right instead of %(current)s."),
        Outcome.UNCHANGED: page.say("%(desired)s is right."),
        Outcome.HELD: page.say("Nobody can tell: %(desired)s stands."),
        Outcome.DISABLED: page.say("Switched off by somebody: left alone."),
        Outcome.FAILED: page.say("From %(current)s to %(desired)s could not be carried out."),
    }
    return texts[decision.outcome] % {
        "current": _number(decision.current),
        "desired": _number(decision.desired),
    }


def reason(say: Callable[[str], str], decision: Decision | None) -> str:
    """Return the reason in a few words: what metrics said that had a say, else the first step."""
    if decision is None:
        return ""
    steps = [spoken(each, say) for each in decision.steps]
    if decision.outcome in (Outcome.HELD, Outcome.FAILED, Outcome.DISABLED):
        return (steps[-1] if decision.outcome is Outcome.FAILED else steps[0]) if steps else ""
    wanted = max(
        (each.proposal for each in decision.verdicts if each.proposal is not None), default=None
    )
    said = [
        f"{each.metric}: {spoken(each.because, say)}"
        for each in decision.verdicts
        if each.proposal == wanted
    ]
    return "; ".join(said or steps[:1])


def words_of_mode(page: Page) -> dict[Mode, str]:
    """Return the words for modes."""
    return {Mode.SHADOW: page.say("shadow: nothing is done"), Mode.ACT: page.say("acts")}


def words_of_outcome(page: Page) -> dict[Outcome | None, str]:
    """Return the words for what came of decisions."""
    return {
        Outcome.SCALED: page.say("scaled"),
        Outcome.RECOMMENDED: page.say("recommended"),
        Outcome.UNCHANGED: page.say("unchanged"),
        Outcome.HELD: page.say("stands"),
        Outcome.DISABLED: page.say("switched off"),
        Outcome.FAILED: page.say("failed"),
        None: page.say("not evaluated yet"),
    }


def _number(replicas: int | None) -> str:
    return "?" if replicas is None else str(replicas)
