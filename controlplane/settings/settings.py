"""The settings themselves: one table of variables, and how they are read."""

import difflib
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.duration import HOUR, MINUTE, SECOND
from controlplane.model.secret import Secret
from controlplane.model.share import ALL_ROLES, Role
from controlplane.settings import parsing
from controlplane.settings.parsing import Listen
from controlplane.settings.secret_files import FileSecret

PREFIX: Final = "CONTROLPLANE_"
DEFAULT_LISTEN: Final = Listen("127.0.0.1", 8080)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is fixed while the process runs. Durations in milliseconds, sizes in bytes.

    `otlp_endpoint` is the base URL of an OTLP/HTTP collector; without it there
    are no traces. `retention` is of samples, 0 for ever.
    """

    listen: Listen = DEFAULT_LISTEN
    external: str = ""
    grafana_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    data_dir: Path = Path("data")
    config: Path | None = None
    api_token: Secret | None = None
    replica: str = field(default_factory=socket.gethostname)
    roles: frozenset[Role] = ALL_ROLES
    log_level: str = "INFO"
    log_format: str = "json"
    otlp_endpoint: str = ""
    otlp_headers: Secret | None = None
    traces_ratio: float = 0.01
    shutdown_grace: Duration = 20 * SECOND
    max_body: int = 1 << 20
    request_timeout: Duration = 30 * SECOND
    query_timeout: Duration = 2 * MINUTE
    query_max_samples: int = 50_000_000
    query_lookback: Duration = 5 * MINUTE
    query_concurrency: int = 4
    retention: Duration = 15 * 24 * HOUR
    retention_size: int = 0
    head_window: Duration = 2 * HOUR
    max_series: int = 2_000_000
    max_series_per_sender: int = 0
    admin_api: bool = False

    @property
    def external_url(self) -> str:
        """The base of every link, without a slash at its end."""
        return self.external or f"http://{self.listen}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment: the field that it fills, how it is read, what it means."""

    name: str
    field: str
    parse: Callable[[str], Any]
    meaning: str
    secret: bool = False


VARIABLES: Final = (
    Variable("CONTROLPLANE_LISTEN", "listen", parsing.listen, "address and port to listen on"),
    Variable(
        "CONTROLPLANE_EXTERNAL_URL",
        "external",
        parsing.url,
        "base of every link in messages and pages",
    ),
    Variable(
        "CONTROLPLANE_GRAFANA_URL",
        "grafana_url",
        parsing.url,
        "where the Grafana with our dashboards is: pages link to the one that fits",
    ),
    Variable(
        "CONTROLPLANE_TRUSTED_PROXIES",
        "trusted_proxies",
        parsing.networks,
        "addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed",
    ),
    Variable(
        "CONTROLPLANE_DATA_DIR", "data_dir", Path, "directory of samples and the SQLite database"
    ),
    Variable("CONTROLPLANE_CONFIG", "config", Path, "the configuration file"),
    Variable(
        "CONTROLPLANE_API_TOKEN",
        "api_token",
        Secret,
        "bearer token that every request must carry; needed to listen beyond loopback",
        secret=True,
    ),
    Variable("CONTROLPLANE_REPLICA", "replica", parsing.name, "name of this process"),
    Variable(
        "CONTROLPLANE_ROLE",
        "roles",
        parsing.roles,
        "what this process does: any of `api`, `prober`, `evaluator`, `notifier`, with commas",
    ),
    Variable(
        "CONTROLPLANE_LOG_LEVEL",
        "log_level",
        parsing.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "least level that is logged",
    ),
    Variable(
        "CONTROLPLANE_LOG_FORMAT",
        "log_format",
        parsing.choice("json", "console"),
        "JSON lines, or lines for people",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "otlp_endpoint",
        parsing.url,
        "base URL of an OTLP/HTTP collector; none: no traces",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "otlp_headers",
        Secret,
        "headers for the collector: `name=value,name=value`",
        secret=True,
    ),
    Variable(
        "CONTROLPLANE_TRACES_RATIO",
        "traces_ratio",
        parsing.ratio,
        "share of traces that is recorded, 0 to 1",
    ),
    Variable(
        "CONTROLPLANE_SHUTDOWN_GRACE",
        "shutdown_grace",
        parsing.duration,
        "time to end well after SIGTERM",
    ),
    Variable("CONTROLPLANE_MAX_BODY", "max_body", parsing.size, "largest body of a request"),
    Variable(
        "CONTROLPLANE_REQUEST_TIMEOUT",
        "request_timeout",
        parsing.duration,
        "longest time of a request",
    ),
    Variable(
        "CONTROLPLANE_QUERY_TIMEOUT", "query_timeout", parsing.duration, "longest time of a query"
    ),
    Variable(
        "CONTROLPLANE_QUERY_MAX_SAMPLES",
        "query_max_samples",
        parsing.count,
        "most samples that a query may hold in memory",
    ),
    Variable(
        "CONTROLPLANE_QUERY_LOOKBACK",
        "query_lookback",
        parsing.duration,
        "how long a sample counts as the latest",
    ),
    Variable(
        "CONTROLPLANE_QUERY_CONCURRENCY",
        "query_concurrency",
        parsing.count,
        "queries evaluated at once",
    ),
    Variable(
        "CONTROLPLANE_RETENTION",
        "retention",
        parsing.duration_or_zero,
        "how long samples are kept; 0: for ever",
    ),
    Variable(
        "CONTROLPLANE_RETENTION_SIZE",
        "retention_size",
        parsing.size_or_zero,
        "most bytes of samples on disk, the log too; the oldest go; 0: no bound",
    ),
    Variable(
        "CONTROLPLANE_HEAD_WINDOW",
        "head_window",
        parsing.duration,
        "how long samples stay in memory, and up to 2 hours more",
    ),
    Variable(
        "CONTROLPLANE_MAX_SERIES",
        "max_series",
        parsing.count_or_zero,
        "most series at once; 0: no bound",
    ),
    Variable(
        "CONTROLPLANE_MAX_SERIES_PER_SENDER",
        "max_series_per_sender",
        parsing.count_or_zero,
        "most series that one sender of remote write or OTLP may begin; 0: no bound",
    ),
    Variable(
        "CONTROLPLANE_ENABLE_ADMIN_API",
        "admin_api",
        parsing.boolean,
        "`true`: samples may be deleted through the API",
    ),
)

# What Kubernetes sets for a service that happens to be called `controlplane`.
_KUBERNETES: Final = re.compile(r"CONTROLPLANE_(?:SERVICE_(?:HOST|PORT.*)|PORT(?:_\d+_\w+)?)\Z")


# What the client reads, which may stand in the same environment.
_OF_THE_CLIENT: Final = frozenset({"CONTROLPLANE_URL"})


def read_settings(
    environ: Mapping[str, str] = os.environ, arguments: Mapping[str, str | None] | None = None
) -> Settings:
    """Return the settings of the environment, what the command line says put over them.

    `arguments` maps fields to texts; None stands for not given. A variable
    that is empty is not given either. Raises InvalidInput that names each
    variable or argument that is wrong, and any unknown CONTROLPLANE_ one.
    """
    problems = list(_unknown(environ))
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        argument = (arguments or {}).get(variable.field)
        try:
            if argument is not None:
                values[variable.field] = _parsed(variable, f"--{_flag(variable)}", argument)
            else:
                values |= _from_environment(variable, environ)
        except InvalidInput as error:
            problems.append(error.reason)
    if problems:
        raise InvalidInput("\n".join(problems))
    return Settings(**values)


def _flag(variable: Variable) -> str:
    return variable.name.removeprefix(PREFIX).lower().replace("_", "-")


def _from_environment(variable: Variable, environ: Mapping[str, str]) -> dict[str, Any]:
    text, file = environ.get(variable.name), environ.get(f"{variable.name}_FILE")
    if text and file:
        raise InvalidInput(f"at most one of {variable.name} & {variable.name}_FILE can be set")
    if file:
        secret = FileSecret(Path(file))
        try:
            text = secret.reveal()
        except Unavailable as error:
            raise InvalidInput(f"{variable.name}_FILE: {error}") from None
        if variable.secret:
            return {variable.field: secret}
    return {variable.field: _parsed(variable, variable.name, text)} if text else {}


def _parsed(variable: Variable, name: str, text: str) -> Any:
    try:
        return variable.parse(text)
    except InvalidInput as error:
        held = "" if variable.secret else f"{text[:80]!r}: "
        raise InvalidInput(f"{name}: {held}{error.reason}") from None


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {variable.name for variable in VARIABLES}
    known |= {f"{name}_FILE" for name in known}
    for name in environ:
        foreign = name in _OF_THE_CLIENT or _KUBERNETES.match(name) is not None
        if name.startswith(PREFIX) and name not in known and not foreign:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"{name}: unknown variable" + (f"; did you mean {near[0]}?" if near else "")
