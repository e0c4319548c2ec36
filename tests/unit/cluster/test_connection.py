"""The client of Redis: quick to give up, and honest about it."""

import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.cluster.connection import Connection
from controlplane.cluster.metrics import RedisMetrics
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.secret import Secret
from tests.support import cluster, valkey

_CLOCK = SystemClock()


async def test_a_command_is_answered() -> None:
    """What Redis answers comes back, and is counted and timed."""
    registry = CollectorRegistry()
    connection = Connection(
        Secret(valkey.server().url), clock=_CLOCK, metrics=RedisMetrics(registry)
    )
    assert not connection.up
    assert await connection.ask(lambda redis: redis.echo("x")) == b"x"
    assert connection.up
    assert registry.get_sample_value("controlplane_redis_up") == 1
    answered = {"outcome": "ok"}
    assert registry.get_sample_value("controlplane_redis_commands_total", answered) == 1
    assert registry.get_sample_value("controlplane_redis_command_duration_seconds_count") == 1
    await connection.close()


async def test_a_redis_that_is_gone_is_told_once(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each command fails at once; the log has a line when Redis goes and one when it is back."""
    with valkey.started() as redis:
        connection = cluster.connect(redis.url, _CLOCK)
        await connection.ask(lambda client: client.ping())
        redis.stop()
        for _ in range(3):
            with pytest.raises(Unavailable, match="does not answer"):
                await connection.ask(lambda client: client.ping())
        assert not connection.up
        redis.start()
        await connection.ask(lambda client: client.ping())
        assert connection.up
        await connection.close()
    lines = capsys.readouterr()
    # Where lines go depends on who configured logs before.
    written = lines.out + lines.err + caplog.text
    assert written.count("redis does not answer") == 1
    assert written.count("redis answers again") == 1


async def test_a_redis_that_hangs_is_given_up_after_a_second() -> None:
    """A server that takes a command and says nothing costs a second; then it is used again."""
    with valkey.started() as redis:
        connection = cluster.connect(redis.url, _CLOCK)
        await connection.ask(lambda client: client.ping())
        redis.pause()
        begin = _CLOCK.monotonic()
        with pytest.raises(Unavailable):
            await connection.ask(lambda client: client.ping())
        assert 0.8 < _CLOCK.monotonic() - begin < 5
        redis.resume()
        assert await connection.ask(lambda client: client.echo("y")) == b"y"
        await connection.close()


async def test_a_password_is_in_no_error() -> None:
    """Neither a wrong password nor a right one is told when something fails."""
    with valkey.started("hunter2") as redis:
        connection = cluster.connect(redis.url, _CLOCK)
        await connection.ask(lambda client: client.ping())
        assert "hunter2" not in connection.name
        redis.stop()
        with pytest.raises(Unavailable) as caught:
            await connection.ask(lambda client: client.ping())
        assert "hunter2" not in str(caught.value)
        await connection.close()
        redis.start()
        wrong = cluster.connect(redis.url.replace("hunter2", "hunter3"), _CLOCK)
        with pytest.raises(Unavailable) as caught:
            await wrong.ask(lambda client: client.ping())
        assert "hunter" not in str(caught.value)
        await wrong.close()


async def test_an_error_of_redis_is_an_error_of_ours() -> None:
    """A command that Redis refuses raises the same as one that it does not answer."""
    connection = cluster.connect(valkey.server().url, _CLOCK)
    with pytest.raises(Unavailable):
        await connection.ask(lambda client: client.eval("no script", 0))
    await connection.close()


def test_what_is_no_url_is_refused_without_its_text() -> None:
    """A URL that cannot be used may still hold a password."""
    with pytest.raises(InvalidInput) as caught:
        cluster.connect("http://:hunter2@redis", _CLOCK)
    assert "hunter2" not in caught.value.reason
