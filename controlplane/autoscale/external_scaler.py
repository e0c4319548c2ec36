"""KEDA's external scaler over gRPC (externalscaler.proto of KEDA 2), with grpcio (an extra).

A ScaledObject names a policy by the metadata `policy`. It gets one metric with
a target of 1, whose value is the number of replicas: KEDA's HPA then arrives
at just that number. While a policy can say nothing the answer is UNAVAILABLE,
so that KEDA keeps what there is, or falls back as its user told it to.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controlplane.autoscale.autoscaler import Autoscaler
from controlplane.autoscale.options import ExternalScalerOptions
from controlplane.errors import Conflict, ControlPlaneError, InvalidInput, NotFound, Unavailable
from controlplane.model.messages import Messages, Schema
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

SERVICE: Final = "externalscaler.ExternalScaler"
_ONE, _MANY = False, True
# A map is a list of entries on the wire. Floats have an older twin of whole numbers.
_SCHEMA: Final[Schema] = {
    "Entry": {"key": (1, "string", _ONE), "value": (2, "string", _ONE)},
    "ScaledObjectRef": {
        "name": (1, "string", _ONE),
        "namespace": (2, "string", _ONE),
        "scaler_metadata": (3, "Entry", _MANY),
    },
    "IsActiveResponse": {"result": (1, "bool", _ONE)},
    "MetricSpec": {
        "metric_name": (1, "string", _ONE),
        "target_size": (2, "int64", _ONE),
        "target_size_float": (3, "double", _ONE),
    },
    "GetMetricSpecResponse": {"metric_specs": (1, "MetricSpec", _MANY)},
    "GetMetricsRequest": {
        "scaled_object_ref": (1, "ScaledObjectRef", _ONE),
        "metric_name": (2, "string", _ONE),
    },
    "MetricValue": {
        "metric_name": (1, "string", _ONE),
        "metric_value": (2, "int64", _ONE),
        "metric_value_float": (3, "double", _ONE),
    },
    "GetMetricsResponse": {"metric_values": (1, "MetricValue", _MANY)},
}
MESSAGES: Final = Messages("externalscaler", _SCHEMA)
# Calls at once, streams among them; more are refused with RESOURCE_EXHAUSTED.
_MOST_CALLS: Final = 1000
_GRACE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How to listen: the options, and what stood in their files."""

    options: ExternalScalerOptions
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    client_ca: bytes = b""


class ExternalScaler:
    """Answers KEDA for an autoscaler, as it was last told to `follow`, until `close`."""

    def __init__(self, autoscaler: Autoscaler) -> None:
        self._autoscaler = autoscaler
        self._server: Any = None
        self._in_force = _Wanted(ExternalScalerOptions())
        self.port = 0

    async def follow(self, options: ExternalScalerOptions) -> None:
        """Listen as these options say, or not at all; what is as it was goes on undisturbed.

        Files are read anew: a renewed certificate counts from here on. When
        that fails all is as it was. Raises Conflict when the address cannot be
        had, Unavailable without grpcio, InvalidInput for files that cannot be read.
        """
        old, wanted = self._in_force, _read(options)
        if wanted == old:
            return
        if not options.listen:
            await self.close()
            self._in_force = wanted
        elif options.listen == old.options.listen:
            await self.close()
            try:
                await self._start(wanted)
            except ControlPlaneError:
                await self._start(old)
                raise
        else:
            before = self._server
            await self._start(wanted)
            await _stop(before)

    async def _start(self, wanted: "_Wanted") -> None:
        options = wanted.options
        grpc = _library()
        server = grpc.aio.server(
            # Two on one port would each get some of the calls.
            options=(("grpc.so_reuseport", 0),),
            maximum_concurrent_rpcs=_MOST_CALLS,
        )
        server.add_generic_rpc_handlers((self._handlers(grpc),))
        try:
            port = _bind(grpc, server, wanted)
        except (OSError, RuntimeError):
            raise Conflict(f"cannot listen on {options.listen} for KEDA") from None
        await server.start()
        self._server, self._in_force, self.port = server, wanted, port
        log.info("external scaler listens", listen=options.listen)

    async def close(self) -> None:
        """End every call, and listen no more."""
        server, self._server = self._server, None
        await _stop(server)

    def _handlers(self, grpc: Any) -> Any:
        def one(call: Any, request: str) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                self._guarded(grpc, call),
                request_deserializer=MESSAGES.message_class(request).FromString,
                response_serializer=_written,
            )

        stream = grpc.unary_stream_rpc_method_handler(
            self._stream(grpc),
            request_deserializer=MESSAGES.message_class("ScaledObjectRef").FromString,
            response_serializer=_written,
        )
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "IsActive": one(self._is_active, "ScaledObjectRef"),
                "StreamIsActive": stream,
                "GetMetricSpec": one(self._metric_spec, "ScaledObjectRef"),
                "GetMetrics": one(self._metrics, "GetMetricsRequest"),
            },
        )

    def _guarded(self, grpc: Any, call: Any) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            try:
                return call(request)
            except ControlPlaneError as error:
                await context.abort(_status(grpc, error), str(error))

        return answer

    def _stream(self, grpc: Any) -> Any:
        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                policy = self._autoscaler.acting(_policy(request)).name
            except ControlPlaneError as error:
                await context.abort(_status(grpc, error), str(error))
            async for active in self._activity(policy):
                yield MESSAGES.message_class("IsActiveResponse")(result=active)

        return stream

    async def _activity(self, policy: str) -> AsyncIterator[bool]:
        """Iterate over whether there should be any replicas: now, and at each change."""
        changed, last = asyncio.Event(), None
        leave = self._autoscaler.subscribe(lambda _decision: changed.set())
        try:
            while True:
                changed.clear()
                decision = self._autoscaler.decision(policy)
                if decision is not None and decision.desired is not None:
                    active = decision.desired > 0
                    if active is not last:
                        last = active
                        yield active
                await changed.wait()
        except NotFound:
            return  # the policy is gone
        finally:
            leave()

    def _is_active(self, ref: Any) -> Any:
        desired, _ = self._autoscaler.desired(_policy(ref))
        return MESSAGES.message_class("IsActiveResponse")(result=desired > 0)

    def _metric_spec(self, ref: Any) -> Any:
        name = self._autoscaler.acting(_policy(ref)).name
        spec = MESSAGES.message_class("MetricSpec")(
            metric_name=name, target_size=1, target_size_float=1.0
        )
        return MESSAGES.message_class("GetMetricSpecResponse")(metric_specs=[spec])

    def _metrics(self, request: Any) -> Any:
        desired, decision = self._autoscaler.desired(_policy(request.scaled_object_ref))
        if request.metric_name != decision.policy:
            raise NotFound(f"the policy has no metric {request.metric_name!r}")
        value = MESSAGES.message_class("MetricValue")(
            metric_name=decision.policy, metric_value=desired, metric_value_float=float(desired)
        )
        return MESSAGES.message_class("GetMetricsResponse")(metric_values=[value])


async def _stop(server: Any) -> None:
    if server is not None:
        await server.stop(grace=_GRACE_SECONDS)


def _read(options: ExternalScalerOptions) -> _Wanted:
    try:
        return _Wanted(
            options,
            Path(options.cert_file).read_bytes() if options.cert_file else b"",
            Path(options.key_file).read_bytes() if options.key_file else b"",
            Path(options.client_ca_file).read_bytes() if options.client_ca_file else b"",
        )
    except OSError as error:
        reason = f"external_scaler: {error.filename}: {error.strerror}"
        raise InvalidInput(reason) from None


def _bind(grpc: Any, server: Any, wanted: _Wanted) -> int:
    if not wanted.certificate:
        return int(server.add_insecure_port(wanted.options.listen))
    credentials = grpc.ssl_server_credentials(
        [(wanted.key, wanted.certificate)],
        root_certificates=wanted.client_ca or None,
        require_client_auth=bool(wanted.client_ca),
    )
    return int(server.add_secure_port(wanted.options.listen, credentials))


def _policy(ref: Any) -> str:
    for entry in ref.scaler_metadata:
        if entry.key == "policy":
            return str(entry.value)
    raise InvalidInput("the trigger's metadata needs `policy`, the name of an autoscaling policy")


def _written(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written


def _status(grpc: Any, error: ControlPlaneError) -> Any:
    if isinstance(error, NotFound):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, Conflict):
        return grpc.StatusCode.FAILED_PRECONDITION
    if isinstance(error, InvalidInput):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.UNAVAILABLE


def _library() -> Any:
    try:
        import grpc  # noqa: PLC0415 - an extra, and only for who uses it
        import grpc.aio  # noqa: PLC0415 - as said
    except ImportError:
        raise Unavailable(
            "KEDA's external scaler needs grpcio: install controlplane[autoscaling]"
        ) from None
    return grpc
