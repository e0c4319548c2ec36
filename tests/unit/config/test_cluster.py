"""`cluster`, read, refused and shown."""

from pathlib import Path

import pytest

from controlplane.cluster.options import ClusterOptions
from controlplane.config.render import render
from tests.unit.config.reading import problems, read


def test_it_is_read_and_shown_without_the_password(tmp_path: Path) -> None:
    """Every key has its place, and nobody sees the URL."""
    config = read(
        tmp_path,
        "cluster: {url: 'rediss://cp:hunter2@redis:6380/3', prefix: cp-2, lease: 20s, renew: 5s}",
    )
    cluster = config.cluster
    assert cluster.url is not None
    assert cluster.url.reveal() == "rediss://cp:hunter2@redis:6380/3"
    assert (cluster.prefix, cluster.lease, cluster.renew) == ("cp-2", 20_000, 5_000)
    assert "hunter2" not in repr(config)
    shown = render(config)
    assert "hunter2" not in str(shown)
    assert "cp-2" in str(shown)


def test_without_it_there_is_one_replica(tmp_path: Path) -> None:
    """No section, and an empty URL, mean no cluster."""
    assert read(tmp_path, "{}").cluster == ClusterOptions()
    assert read(tmp_path, "cluster: {url: ''}").cluster.url is None


def test_the_url_may_stand_in_a_file(tmp_path: Path) -> None:
    """A password need not stand in the configuration."""
    (tmp_path / "redis").write_text("redis://:pw@redis:6379\n")
    url = read(tmp_path, "cluster: {url_file: redis}").cluster.url
    assert url is not None
    assert url.reveal() == "redis://:pw@redis:6379"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("url: 'http://redis:6379'", "expected redis://"),
        ("url: 'redis://:hunter2@'", "expected redis://"),
        ("url: 'redis://redis/zero'", "expected redis://"),
        ("url: 'redis://redis:0'", "expected redis://"),
        ("url: 'redis://redis?db=1'", "expected redis://"),
        ("prefix: 'a{b}'", "expected up to 64 letters"),
        ("prefix: ''", "expected up to 64 letters"),
        ("lease: 5s", "must be at most half of lease"),
        ("urls: x", "did you mean 'url'?"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, written: str, reason: str) -> None:
    """Each mistake is told at its line, and no password is in it."""
    ((_, found),) = problems(tmp_path, f"cluster: {{{written}}}")
    assert reason in found
    assert "hunter2" not in found
