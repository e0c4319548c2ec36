"""What depends on something that is down is not told of."""

import pytest

from controlplane.model.alert import Alert
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import Labels
from controlplane.mute.dependencies import Dependencies, RuleDependencies, TargetDependencies
from controlplane.mute.options import RuleDependency
from controlplane.mute.watched import TargetBook, Watched
from tests.unit.mute.world import HOUR, NOW, At, alert


class Landscape:
    """Targets with what they depend on; `outcomes` are their last probes."""

    def __init__(self, **depends_on: str) -> None:
        self.book = TargetBook()
        self.outcomes: dict[str, bool] = {}
        self.targets = TargetDependencies(self.book, self.outcomes.get)
        self.muter = Dependencies(self.targets, RuleDependencies())
        for name, on in depends_on.items():
            self.watch(name, on)

    def watch(self, name: str, on: str = "", **labels: str) -> None:
        carried = Labels({"job": name, "instance": f"{name}:1", **labels})
        depends_on = parse_dependencies(on.split())
        self.book.put(Watched(f"id-{name}", name, carried, f"{name}:1", 15_000, depends_on))

    def fail(self, *names: str) -> None:
        self.outcomes.update({f"id-{name}": False for name in names})

    def muted(self, name: str) -> tuple[str, ...]:
        labels = Labels({"alertname": "Down", "job": name, "instance": f"{name}:1"})
        return self.muter.muted_by(labels, At(NOW))


def test_a_target_is_not_told_of_while_what_it_depends_on_is_down() -> None:
    """As long as the last probe of that failed, and not before its first."""
    scene = Landscape(shop="db", db="")
    assert scene.muted("shop") == ()
    scene.fail("shop", "db")
    assert (scene.muted("shop"), scene.muted("db")) == (("target/db",), ())
    scene.outcomes["id-db"] = True
    assert scene.muted("shop") == ()


def test_the_nearest_of_all_below_is_named() -> None:
    """Edges lead on, also over targets that are well."""
    scene = Landscape(shop="api", api="db cache", db="disk", cache="", disk="")
    scene.fail("disk")
    assert scene.muted("shop") == ("target/disk",)
    scene.fail("cache")
    assert scene.muted("shop") == ("target/cache",)


def test_matchers_find_those_that_come_later() -> None:
    """Whatever carries the labels; a target's own labels find it not itself."""
    scene = Landscape()
    scene.watch("shop", '{role="gateway"}')
    scene.watch("gateway", '{role="gateway"}', role="gateway")
    scene.fail("gateway")
    assert (scene.muted("shop"), scene.muted("gateway")) == (("target/gateway",), ())
    scene.watch("gateway", role="none")
    assert scene.muted("shop") == ()


def test_those_that_depend_on_each_other_are_told() -> None:
    """Nobody would be told otherwise; what stands above both is not."""
    scene = Landscape(a="b", b="a", c="a")
    scene.fail("a", "b", "c")
    assert (scene.muted("a"), scene.muted("b"), scene.muted("c")) == ((), (), ("target/a",))


def test_what_is_gone_is_not_down() -> None:
    """A target that was removed, or whose name went to another, suppresses nothing."""
    scene = Landscape(shop="db", db="")
    scene.fail("db")
    scene.book.remove("id-db")
    scene.book.remove("id-db")
    assert scene.muted("shop") == ()


@pytest.mark.parametrize("labels", [{"job": "shop"}, {"instance": "shop:1"}, {}])
def test_an_alert_has_to_name_job_and_instance(labels: dict[str, str]) -> None:
    """One about a whole job is about none of its targets."""
    scene = Landscape(shop="db", db="")
    scene.fail("db")
    assert scene.muter.muting(Labels({"alertname": "Down", **labels}), NOW) == ()


def edge(name: str, *on: str, **labels: str) -> RuleDependency:
    return RuleDependency(name, parse_dependencies(on), Labels(labels))


def muted(rules: RuleDependencies, **labels: str) -> str:
    found = rules.source_of(Labels(labels), NOW)
    return "" if found is None else found.name


def test_alerts_of_a_rule_are_not_told_while_one_that_it_depends_on_fires() -> None:
    """By name or by matchers; only for alerts with the labels that the rule gives them."""
    rules = RuleDependencies([edge("Slow", "DbDown", '{alertname="Net", zone="a"}', team="shop")])
    assert muted(rules, alertname="Slow", team="shop") == ""
    rules.heard([alert(alertname="Net", zone="b"), alert(alertname="Other")], NOW)
    assert muted(rules, alertname="Slow", team="shop") == ""
    rules.heard([alert(alertname="Net", zone="a")], NOW)
    assert muted(rules, alertname="Slow", team="shop") == "Net"
    assert muted(rules, alertname="Slow", team="other") == ""
    rules.heard([alert(alertname="Net", zone="a", ends_at=NOW)], NOW)
    assert muted(rules, alertname="Slow", team="shop") == ""


def test_an_alert_that_ran_out_suppresses_nothing() -> None:
    """Also when nobody has said that it ended."""
    source = alert(alertname="DbDown", ends_at=NOW + 1)
    rules = RuleDependencies([edge("Slow", "DbDown")], [source])
    assert rules.source_of(Labels({"alertname": "Slow"}), NOW) == source
    assert rules.source_of(Labels({"alertname": "Slow"}), NOW + 1) is None


def test_rules_lead_on_to_what_their_causes_depend_on() -> None:
    """Also over a rule that does not fire; labels that nobody knows yet hold up nothing."""
    edges = [edge("Slow", '{alertname="ApiDown", zone="a"}'), edge("ApiDown", "NetDown")]
    rules = RuleDependencies(edges, [alert(alertname="NetDown")])
    assert muted(rules, alertname="Slow") == "NetDown"
    other = edge("Slow", '{alertname="ApiDown", team="shop"}')
    rules.reload([other, edge("ApiDown", "NetDown", team="infra")], [alert(alertname="NetDown")], 0)
    assert muted(rules, alertname="Slow") == ""


def test_alerts_that_depend_on_each_other_are_told() -> None:
    """An alert never suppresses itself, nor one that it depends on in turn."""
    rules = RuleDependencies([edge("Down", '{alertname="Down", role="router"}')])
    router: Alert = alert(alertname="Down", role="router")
    rules.heard([router], NOW)
    assert muted(rules, alertname="Down", role="host") == "Down"
    assert muted(rules, **dict(router.labels)) == ""
    rules.heard([alert(alertname="Down", role="router", n="2")], NOW)
    assert muted(rules, **dict(router.labels)) == ""


def test_a_reload_forgets_no_cause() -> None:
    """What fires already counts at once, what ended does not."""
    rules = RuleDependencies()
    kept = [alert(alertname="DbDown"), alert(alertname="NetDown", ends_at=NOW - HOUR)]
    rules.reload([edge("Slow", "DbDown"), edge("Late", "NetDown")], kept, NOW)
    assert muted(rules, alertname="Slow") == "DbDown"
    assert muted(rules, alertname="Late") == ""


def test_the_muter_names_the_alert() -> None:
    """By its fingerprint, as inhibition does."""
    source = alert(alertname="DbDown")
    rules = RuleDependencies([edge("Slow", "DbDown")], [source])
    muter = Dependencies(Landscape().targets, rules)
    assert muter.muted_by(Labels({"alertname": "Slow"}), At(NOW)) == (source.fingerprint,)
