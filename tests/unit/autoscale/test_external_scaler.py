"""KEDA's external scaler over real gRPC, called as KEDA calls it, by stubs of the same proto."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme

from controlplane.autoscale.autoscaler import Autoscaler
from controlplane.autoscale.external_scaler import MESSAGES, SERVICE, ExternalScaler
from controlplane.autoscale.options import (
    ExternalScalerOptions,
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
)
from controlplane.errors import Conflict, InvalidInput
from tests.unit.autoscale.world import World

POLICY = Policy(
    "shop",
    20,
    (MetricOptions("load", "load", target=MetricTarget(10)),),
    min_replicas=0,
    mode=Mode.ACT,
    replicas="count",
)
_ANSWERS = {
    "IsActive": "IsActiveResponse",
    "StreamIsActive": "IsActiveResponse",
    "GetMetricSpec": "GetMetricSpecResponse",
    "GetMetrics": "GetMetricsResponse",
}


def ref(policy: str | None = "shop") -> Any:
    """Return what a trigger of a ScaledObject sends."""
    entries = [] if policy is None else [{"key": "policy", "value": policy}]
    return MESSAGES.message_class("ScaledObjectRef")(
        name="shop", namespace="prod", scaler_metadata=entries
    )


def call(channel: grpc.aio.Channel, method: str) -> Any:
    """Return a method as KEDA has it from the proto."""
    kind = channel.unary_stream if method.startswith("Stream") else channel.unary_unary
    return kind(
        f"/{SERVICE}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES.message_class(_ANSWERS[method]).FromString,
    )


@asynccontextmanager
async def listening(scaler: Autoscaler) -> AsyncIterator[grpc.aio.Channel]:
    """Give a channel to an external scaler."""
    external = ExternalScaler(scaler)
    await external.follow(ExternalScalerOptions("127.0.0.1:0"))
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{external.port}") as channel:
            yield channel
    finally:
        await external.close()


async def decided(world: World, scaler: Autoscaler, load: float, count: float = 4) -> None:
    """Have the policy decide."""
    world.values = {"load": load, "count": count}
    await scaler.evaluate(POLICY, world.clock.now())
    await world.clock.advance(400)


async def test_keda_is_told_the_number() -> None:
    """One metric with a target of 1, whose value is the number, in both of its fields."""
    world = World()
    scaler = world.autoscaler(POLICY)
    await decided(world, scaler, 15)
    async with listening(scaler) as channel:
        spec = (await call(channel, "GetMetricSpec")(ref())).metric_specs
        assert [(s.metric_name, s.target_size, s.target_size_float) for s in spec] == [
            ("shop", 1, 1.0)
        ]
        asked = MESSAGES.message_class("GetMetricsRequest")(
            scaled_object_ref=ref(), metric_name="shop"
        )
        values = (await call(channel, "GetMetrics")(asked)).metric_values
        assert [(v.metric_name, v.metric_value, v.metric_value_float) for v in values] == [
            ("shop", 6, 6.0)
        ]
        assert (await call(channel, "IsActive")(ref())).result is True


async def test_no_load_is_inactive() -> None:
    """What may have no replicas, and needs none, is not active."""
    world = World()
    scaler = world.autoscaler(POLICY)
    await decided(world, scaler, 0, count=0)
    async with listening(scaler) as channel:
        assert (await call(channel, "IsActive")(ref())).result is False


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("nobody", grpc.StatusCode.NOT_FOUND),
        (None, grpc.StatusCode.INVALID_ARGUMENT),
        ("shop", grpc.StatusCode.UNAVAILABLE),
        ("shadow", grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
async def test_what_cannot_be_said_is_an_error(policy: str | None, code: grpc.StatusCode) -> None:
    """Errors count towards KEDA's fallback; a number would be acted on."""
    shadow = replace(POLICY, name="shadow", mode=Mode.SHADOW)
    async with listening(World().autoscaler(POLICY, shadow)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "IsActive")(ref(policy))
        assert caught.value.code() is code


async def test_another_metric_is_an_error() -> None:
    """There is one, and it has the policy's name."""
    world = World()
    scaler = world.autoscaler(POLICY)
    await decided(world, scaler, 15)
    request = MESSAGES.message_class("GetMetricsRequest")
    async with listening(scaler) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "GetMetrics")(request(scaled_object_ref=ref(), metric_name="cpu"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_activity_is_pushed() -> None:
    """At once, and then at each change only."""
    world = World()
    scaler = world.autoscaler(POLICY)
    await decided(world, scaler, 0, count=0)
    async with listening(scaler) as channel, asyncio.timeout(20):
        stream = call(channel, "StreamIsActive")(ref())
        assert (await stream.read()).result is False
        await decided(world, scaler, 0, count=0)
        await decided(world, scaler, 15, count=0)
        assert (await stream.read()).result is True
        stream.cancel()


async def test_a_stream_of_nobody() -> None:
    """An unknown policy is refused there too."""
    async with listening(World().autoscaler(POLICY)) as channel, asyncio.timeout(20):
        stream = call(channel, "StreamIsActive")(ref("nobody"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_address_that_is_taken() -> None:
    """Is told at the start."""
    first = ExternalScaler(World().autoscaler(POLICY))
    await first.follow(ExternalScalerOptions("127.0.0.1:0"))
    try:
        second = ExternalScaler(World().autoscaler(POLICY))
        with pytest.raises(Conflict, match="cannot listen"):
            await second.follow(ExternalScalerOptions(f"127.0.0.1:{first.port}"))
    finally:
        await first.close()


async def test_clients_show_a_certificate(tmp_path: Path) -> None:
    """With a client CA nobody else gets an answer."""
    ca = trustme.CA()
    own, client = ca.issue_cert("localhost"), ca.issue_cert("keda")
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (tmp_path / "cert.pem").write_bytes(own.cert_chain_pems[0].bytes())
    (tmp_path / "key.pem").write_bytes(own.private_key_pem.bytes())
    paths = [str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem")]
    external = ExternalScaler(World().autoscaler(POLICY))
    await external.follow(ExternalScalerOptions("127.0.0.1:0", *paths))
    known = grpc.ssl_channel_credentials(
        ca.cert_pem.bytes(), client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    )
    unknown = grpc.ssl_channel_credentials(ca.cert_pem.bytes())
    codes = []
    try:
        for credentials in (known, unknown):
            place = f"localhost:{external.port}"
            async with grpc.aio.secure_channel(place, credentials) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(channel, "IsActive")(ref("nobody"), timeout=10)
                codes.append(caught.value.code())
    finally:
        await external.close()
    assert codes == [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE]


def test_away_from_loopback_certificates_are_needed() -> None:
    """Nobody tells a whole network how it is scaled by mistake."""
    with pytest.raises(InvalidInput, match="client_ca_file"):
        ExternalScalerOptions("0.0.0.0:9090")
    with pytest.raises(InvalidInput, match="go together"):
        ExternalScalerOptions("127.0.0.1:9090", cert_file="x")
    assert ExternalScalerOptions("0.0.0.0:9090", "c", "k", "a").listen


async def test_it_follows_a_reload(tmp_path: Path) -> None:
    """To another address at once; nowhere when there is none; what is as it was goes on."""
    external = ExternalScaler(World().autoscaler(POLICY))
    await external.follow(ExternalScalerOptions())
    assert external.port == 0
    await external.follow(ExternalScalerOptions("127.0.0.1:0"))
    first = external.port
    await external.follow(ExternalScalerOptions("127.0.0.1:0"))
    assert external.port == first
    taken = ExternalScaler(World().autoscaler(POLICY))
    await taken.follow(ExternalScalerOptions("127.0.0.1:0"))
    try:
        with pytest.raises(Conflict, match="cannot listen"):
            await external.follow(ExternalScalerOptions(f"127.0.0.1:{taken.port}"))
        missing = str(tmp_path / "nothing.pem")
        with pytest.raises(InvalidInput, match=r"nothing\.pem"):
            await external.follow(ExternalScalerOptions("127.0.0.1:0", missing, missing))
        assert await answers(first)
        await external.follow(ExternalScalerOptions("localhost:0"))
        assert await answers(external.port)
        assert not await answers(first)
        await external.follow(ExternalScalerOptions())
        assert not await answers(external.port)
    finally:
        await taken.close()
        await external.close()


async def test_a_renewed_certificate_counts(tmp_path: Path) -> None:
    """The same paths with other files: whoever connects from then on sees the new one."""
    paths = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    external = ExternalScaler(World().autoscaler(POLICY))
    try:
        old, new = renewed(tmp_path), None
        await external.follow(ExternalScalerOptions("127.0.0.1:0", *paths))
        assert await answers(external.port, old)
        new = renewed(tmp_path)
        await external.follow(ExternalScalerOptions("127.0.0.1:0", *paths))
        assert await answers(external.port, new)
        assert not await answers(external.port, old)
    finally:
        await external.close()


def renewed(directory: Path) -> bytes:
    """Write a certificate of a new authority; return the authority's."""
    ca = trustme.CA()
    own = ca.issue_cert("localhost")
    (directory / "cert.pem").write_bytes(own.cert_chain_pems[0].bytes())
    (directory / "key.pem").write_bytes(own.private_key_pem.bytes())
    return ca.cert_pem.bytes()


async def answers(port: int, authority: bytes = b"") -> bool:
    """Tell whether somebody answers KEDA there."""
    address = f"localhost:{port}"
    if authority:
        trusted = grpc.ssl_channel_credentials(authority)
        opened = grpc.aio.secure_channel(address, trusted)
    else:
        opened = grpc.aio.insecure_channel(address)
    async with opened as channel:
        try:
            await call(channel, "GetMetricSpec")(ref(), timeout=5)
        except grpc.aio.AioRpcError:
            return False
    return True
