"""What a target carries: the labels of all its series, the end of its lease."""

from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.model.target import Operator, Provenance, Target, TargetSpec


def _target(spec: TargetSpec, operator: Operator | None = None) -> Target:
    return Target("1", spec, Provenance.API, 0, 0, 1_000, operator or Operator())


def test_job_and_instance_have_defaults() -> None:
    """Without labels of its own a target is its name and its address."""
    labels = _target(TargetSpec("shop", address="10.0.0.1:5432")).labels()
    assert labels == Labels({"job": "shop", "instance": "10.0.0.1:5432"})


def test_own_labels_win_and_the_operator_wins_over_them() -> None:
    """The registration may name job and instance; what an operator set comes last."""
    spec = TargetSpec("shop", url="http://a/", labels=Labels({"job": "web", "env": "prod"}))
    operator = Operator(labels={"env": "", "team": "x"})
    wanted = {"job": "web", "instance": "http://a/", "team": "x"}
    assert _target(spec, operator).labels() == Labels(wanted)


def test_a_lease_runs_from_its_renewal() -> None:
    """A target without a lease stays; with one it expires after the last renewal."""
    assert _target(TargetSpec("a", url="http://a/")).expires_at is None
    assert _target(TargetSpec("a", url="http://a/", lease=500)).expires_at == 1_500


def test_an_alert_is_resolved_at_its_end() -> None:
    """At the very instant of its end an alert no longer fires."""
    alert = Alert(Labels({"alertname": "A"}), starts_at=0, ends_at=10, updated_at=0)
    assert alert.status(9) is AlertStatus.FIRING
    assert alert.status(10) is AlertStatus.RESOLVED


def test_a_secret_is_not_shown() -> None:
    """Neither repr nor str nor a format shows a secret; it is read at each use."""
    texts = iter(["first", "second"])
    secret = Secret(lambda: next(texts))
    assert f"{secret} {secret!r} {[secret]}" == "<secret> <secret> [<secret>]"
    assert (secret.reveal(), secret.reveal()) == ("first", "second")
