"""What is told of who is there: each thing once, and nothing before it is certain."""

from dataclasses import replace

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.cluster.chronicle import Chronicle, configurations
from controlplane.cluster.metrics import ClusterMetrics
from controlplane.cluster.roster import Seen
from controlplane.model.member import Member, Network
from controlplane.model.share import ALL_ROLES

_OLD, _NEW = "0" * 64, "1" * 64
_DIFFER = "replicas differ in configuration"
_AGREE = "replicas agree in configuration again"


class _Told:
    """A chronicle, what it said in the log, and its gauge."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._chronicle = Chronicle(ClusterMetrics(self._registry))

    def of(self, *digests: str, settled: bool = True) -> list[str]:
        """Return the events when replicas a, b, c ... have these configurations."""
        members = [
            Member(name, "1", ALL_ROLES, config_digest=digest)
            for name, digest in zip("abc", digests, strict=False)
        ]
        with capture_logs() as logs:
            self._chronicle.note(Seen(tuple(members)), settled=settled, joining=False)
        return [line["event"] for line in logs]

    def networks(self, *networks: Network) -> list[str]:
        """Return what is told of whom when replicas a, b, c ... say this of their networks."""
        members = [
            Member(name, "1", ALL_ROLES, network=network)
            for name, network in zip("abcd", networks, strict=False)
        ]
        with capture_logs() as logs:
            self._chronicle.note(Seen(tuple(members)), settled=False, joining=False)
        said = (line for line in logs if line["event"] != "replica joined")
        return [f"{line['event']} {line['replica']}" for line in said]

    def isolated(self) -> float | None:
        """Return how many replicas are isolated by the gauge."""
        return self._registry.get_sample_value("controlplane_cluster_members_isolated")

    def count(self) -> float | None:
        """Return how many configurations the gauge has."""
        return self._registry.get_sample_value("controlplane_cluster_configurations")


def test_the_replicas_of_each_configuration_are_found() -> None:
    """One that does not say which it has, an older one, is in none of them."""
    a, b, c = (Member(name, "1", ALL_ROLES, config_digest=_OLD) for name in "abc")
    older = replace(c, config_digest="")
    assert configurations([a, b, c]) == {_OLD: ("a", "b", "c")}
    assert configurations([a, replace(b, config_digest=_NEW), older]) == {
        _OLD: ("a",),
        _NEW: ("b",),
    }
    assert configurations([older]) == {}


def test_a_difference_is_told_once() -> None:
    """When it begins and when it is over, however many replicas change over in between."""
    told = _Told()
    told.of(_OLD, _OLD, _OLD)
    assert told.count() == 1
    assert told.of(_NEW, _OLD, _OLD) == [_DIFFER]
    assert told.count() == 2
    assert told.of(_NEW, _NEW, _OLD) == []
    assert told.of(_NEW, _NEW, _NEW) == [_AGREE]
    assert told.count() == 1
    assert told.of(_NEW, _NEW, _NEW) == []


def test_who_has_which_configuration_is_told() -> None:
    """The line names the replicas beside the beginning of the digest, as pages show it."""
    chronicle = Chronicle(ClusterMetrics(CollectorRegistry()))
    a, b = Member("a", "1", ALL_ROLES), Member("b", "1", ALL_ROLES)
    members = (replace(a, config_digest=_OLD), replace(b, config_digest=_NEW))
    with capture_logs() as logs:
        chronicle.note(Seen(members), settled=True, joining=False)
    [line] = [line for line in logs if line["event"] == _DIFFER]
    assert line["log_level"] == "warning"
    assert line["configurations"] == ["000000000000: a", "111111111111: b"]


def test_an_older_replica_makes_no_difference() -> None:
    """One that does not say which configuration it has is not taken to have another."""
    told = _Told()
    assert _DIFFER not in told.of(_OLD, "", _OLD)
    assert told.count() == 1


def test_nobody_leaves_while_it_is_not_certain() -> None:
    """While replicas may yet come back nobody has left, and no difference is over."""
    told = _Told()
    told.of(_OLD, _NEW)
    assert told.of(_OLD, settled=False) == []
    assert told.count() == 2
    assert told.of(_OLD, _NEW, settled=False) == []
    assert told.of(_OLD) == ["replica left", _AGREE]


def test_who_is_cut_off_from_its_network_is_told_once() -> None:
    """And when it is not any more; one that asks itself, or is gone, is told of otherwise."""
    told = _Told()
    said = (Network.CONNECTED, Network.DOUBTED, Network.ISOLATED, Network.ISOLATED)
    assert told.networks(*said[:2]) == []
    assert told.networks(*said) == ["replica isolated c", "replica isolated d"]
    assert told.isolated() == 2
    assert told.networks(*said) == []
    assert told.networks(*said[:3], Network.RECOVERING) == []
    assert told.networks(*said[:2], Network.CONNECTED) == ["replica connected again c"]
    assert told.isolated() == 0
