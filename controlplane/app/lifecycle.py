"""From a command line to a service that runs until it is told to stop."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry

from controlplane.api.application import leave, protocol
from controlplane.api.connections import BoundedWebSocket, ConnectionLimits
from controlplane.app.build import Service, build
from controlplane.auth.loopback import check_listen
from controlplane.clock import Clock, SystemClock
from controlplane.config.config import Config
from controlplane.errors import Conflict, ControlPlaneError
from controlplane.settings.parsing import Listen
from controlplane.settings.settings import Settings
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.traces import TRACING, configure_traces
from controlplane.transport.process import tune_interpreter

log = get_logger(__name__)

_BACKLOG: Final = 1024
_LONGEST_GOODBYE: Final = 5
# How long a replica that is to end goes on answering, where others can answer in its place.
_FAREWELL: Final = 2.0
# What a reader of the stream says: a few words of JSON.
_LARGEST_MESSAGE: Final = 4 << 10

# Is told when the service answers, with its base URL; serving ends when it returns.
While = Callable[[str], Awaitable[None]]


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: ours reload and drain."""

    def __init__(self, config: uvicorn.Config, parting: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._parting = parting

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye, then end what is left."""
        await self._parting()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(listen: Listen) -> socket.socket:
    """Return a socket with an address. Raises Conflict when that cannot be had.

    It does not listen yet: who connects to a process that is starting is refused,
    and can go elsewhere, instead of waiting until it has started.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((listen.host, listen.port))
    except OSError as error:
        listening.close()
        raise _taken(listen, error) from None
    listening.setblocking(False)  # noqa: FBT003 - the socket API
    return listening


def _open(listening: socket.socket, listen: Listen) -> None:
    try:
        listening.listen(_BACKLOG)
    except OSError as error:
        raise _taken(listen, error) from None


def _taken(listen: Listen, error: OSError) -> Conflict:
    return Conflict(
        f"cannot listen on {listen}: {error.strerror}; --listen HOST:PORT takes another address"
    )


async def serve(
    settings: Settings,
    config: Config,
    *,
    clock: Clock | None = None,
    listening: socket.socket | None = None,
    meanwhile: While | None = None,
) -> None:
    """Run the service until SIGTERM or SIGINT, or until `meanwhile` returns.

    Raises Forbidden, Conflict or Unavailable when it cannot start.
    """
    check_listen(settings.listen.host, settings.api_token)
    clock, registry = clock or SystemClock(), CollectorRegistry()
    async with AsyncExitStack() as stack:
        listening = listening or bind(settings.listen)
        stack.callback(listening.close)
        # Port 0 was any free one: links and logs name the one that it became.
        host, port = listening.getsockname()[:2]
        settings = replace(settings, listen=Listen(host, port))
        configure_traces(
            settings.otlp_endpoint,
            ratio=settings.traces_ratio,
            replica=settings.replica,
            headers=settings.otlp_headers,
        )
        stack.push_async_callback(asyncio.to_thread, TRACING.close)
        service = await build(settings, config, clock=clock, registry=registry, stack=stack)
        tune_interpreter()
        server = _server(service, settings, clock)
        _open(listening, settings.listen)
        _handle_signals(server, service, stack)
        log.info("serving", url=settings.external_url, listen=str(settings.listen))
        if meanwhile is not None:
            service.supervisor.start("meanwhile", lambda: _until(server, meanwhile, settings))
        await server.serve(sockets=[listening])
        log.info("stopping")
    log.info("stopped")


def _server(service: Service, settings: Settings, clock: Clock) -> _Server:
    async def parting() -> None:
        leave(service.application)
        if service.shared:
            # Those who spread requests send them here until they have noticed.
            await clock.sleep(_FAREWELL)
        # Readers of events would stay for ever.
        service.bus.close()

    return _Server(
        uvicorn.Config(
            service.application,
            http=protocol(service.application, ConnectionLimits()),
            ws=BoundedWebSocket,
            ws_max_size=_LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            # Of itself uvicorn believes whoever asks from this machine.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=_LONGEST_GOODBYE,
        ),
        parting=parting,
    )


async def _until(server: _Server, meanwhile: While, settings: Settings) -> None:
    await meanwhile(settings.external_url)
    server.should_exit = True
    await asyncio.Event().wait()


def _handle_signals(server: _Server, service: Service, stack: AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def stop() -> None:
        server.should_exit = True

    def reload() -> None:
        task = loop.create_task(_reload(service))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
        stack.callback(loop.remove_signal_handler, number)


async def _reload(service: Service) -> None:
    with correlated(new_correlation_id()):
        try:
            await service.reloader.reload()
        except ControlPlaneError:
            return  # the reloader has said why
        except Exception:
            log.exception("reload failed")
