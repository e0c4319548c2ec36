"""What a policy of `autoscaling` can say. Durations are milliseconds.

`Behavior` and what is below it are spelled as the Kubernetes HPA spells them
(autoscaling/v2): their periods and windows are whole seconds, as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.secret import Secret
from controlplane.transport.options import HTTPClientConfig
from controlplane.tsdb.remote.options import Datasource

LOCAL: Final = "local"

_LONGEST_PERIOD: Final = 1800
_LONGEST_WINDOW: Final = 3600
# The HPA counts in thousandths: below one there is nothing to divide by.
_LEAST_TARGET: Final = 0.001
_MOST_REPLICAS: Final = 100_000


class Mode(StrEnum):
    """What comes of a decision: it is only recorded, or carried out."""

    SHADOW = "shadow"
    ACT = "act"


class TargetType(StrEnum):
    """How a target relates to replicas, as in the HPA's `MetricTarget`.

    `Value`: the sum of the query's series, whatever the number of replicas.
    `AverageValue`: the sum is divided by the replicas. `Pods`: the query gives
    one series for each pod, of which the average counts.
    """

    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"
    PODS = "Pods"


@dataclass(frozen=True, slots=True)
class MetricTarget:
    """The value that the HPA steers for."""

    value: float
    type: TargetType = TargetType.VALUE

    def __post_init__(self) -> None:
        if self.value < _LEAST_TARGET:
            raise InvalidInput(f"below {_LEAST_TARGET}: scale the query", pointer="/value")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that must have been passed for `for_`; then `step` replicas more, or fewer."""

    threshold: float
    for_: Duration = 0
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1:
            raise InvalidInput("must be above 0", pointer="/step")


class Kind(StrEnum):
    """Metrics whose thresholds need not be written: ratios from 0 to 1, seconds."""

    CPU = "cpu"
    MEMORY = "memory"
    LATENCY = "latency"
    ERROR_RATE = "error_rate"


# Up, and down where there is one: few errors are no reason to have fewer replicas.
DEFAULT_THRESHOLDS: Final[Mapping[Kind, tuple[Threshold, Threshold | None]]] = MappingProxyType(
    {
        Kind.CPU: (Threshold(0.7), Threshold(0.3)),
        Kind.MEMORY: (Threshold(0.8), Threshold(0.5)),
        Kind.LATENCY: (Threshold(0.5, 2 * MINUTE), None),
        Kind.ERROR_RATE: (Threshold(0.05, 2 * MINUTE), None),
    }
)
_UNSHARED: Final = frozenset({Kind.LATENCY, Kind.ERROR_RATE})


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """A query with either a `target` or thresholds.

    With a `kind` thresholds that are not given are that kind's. `shared` says
    that the value falls as replicas are added: only a replay asks for it.
    """

    name: str
    query: str
    kind: Kind | None = None
    target: MetricTarget | None = None
    up: Threshold | None = None
    down: Threshold | None = None
    shared: bool | None = None

    def __post_init__(self) -> None:
        if self.target is not None and (self.kind or self.up or self.down):
            raise InvalidInput("a metric has either a target or thresholds", pointer="/target")
        if self.target is None and not (self.kind or self.up or self.down):
            raise InvalidInput("a metric needs a target, a kind, or thresholds (up, down)")
        up, down = self.thresholds
        if up is not None and down is not None and down.threshold >= up.threshold:
            raise InvalidInput("not below the threshold of up", pointer="/down")

    @property
    def thresholds(self) -> tuple[Threshold | None, Threshold | None]:
        """The limits in force, up and down."""
        usual = (None, None) if self.kind is None else DEFAULT_THRESHOLDS[self.kind]
        return self.up or usual[0], self.down or usual[1]

    @property
    def is_shared(self) -> bool:
        """Whether more replicas make the value smaller."""
        return self.kind not in _UNSHARED if self.shared is None else self.shared


class PolicyType(StrEnum):
    """What a scaling policy counts in."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several scaling policies counts: that of the largest change, or the smallest."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most so many pods, or percent of them, in a period of seconds."""

    type: PolicyType
    value: int
    period_seconds: int

    def __post_init__(self) -> None:
        if self.value < 1:
            raise InvalidInput("must be above 0", pointer="/value")
        if not 0 < self.period_seconds <= _LONGEST_PERIOD:
            raise InvalidInput(f"must be from 1 to {_LONGEST_PERIOD}", pointer="/period_seconds")


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """How one direction is slowed down; what is None is the HPA's default for it."""

    stabilization_window_seconds: int | None = None
    policies: tuple[ScalingPolicy, ...] = ()
    select_policy: SelectPolicy = SelectPolicy.MAX
    tolerance: float | None = None

    def __post_init__(self) -> None:
        window = self.stabilization_window_seconds
        if window is not None and not 0 <= window <= _LONGEST_WINDOW:
            raise InvalidInput(
                f"must be from 0 to {_LONGEST_WINDOW}", pointer="/stabilization_window_seconds"
            )

    def filled(self, usual: "ScalingRules") -> "ScalingRules":
        """Return the rules with what was not given from `usual`."""
        window = self.stabilization_window_seconds
        return replace(
            self,
            stabilization_window_seconds=(
                usual.stabilization_window_seconds if window is None else window
            ),
            policies=self.policies or usual.policies,
            tolerance=usual.tolerance if self.tolerance is None else self.tolerance,
        )


_TOLERANCE: Final = 0.1
UP: Final = ScalingRules(
    0,
    (ScalingPolicy(PolicyType.PODS, 4, 15), ScalingPolicy(PolicyType.PERCENT, 100, 15)),
    tolerance=_TOLERANCE,
)
DOWN: Final = ScalingRules(300, (ScalingPolicy(PolicyType.PERCENT, 100, 15),), tolerance=_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Behavior:
    """`behavior` of an HPA. A policy without one is bounded as an HPA without one."""

    scale_up: ScalingRules = field(default_factory=ScalingRules)
    scale_down: ScalingRules = field(default_factory=ScalingRules)

    def filled(self) -> "Behavior":
        """Return the behavior with the HPA's defaults where nothing was given."""
        return _filled(self)


@lru_cache(maxsize=256)
def _filled(behavior: Behavior) -> Behavior:
    """Asked for at each step of a replay, and always the same."""
    return Behavior(behavior.scale_up.filled(UP), behavior.scale_down.filled(DOWN))


@dataclass(frozen=True, slots=True)
class WorkloadOptions:
    """Something in Kubernetes with a scale subresource.

    Without a `kubeconfig` the service runs in the cluster that it scales.
    """

    name: str
    namespace: str = "default"
    api_version: str = "apps/v1"
    kind: str = "Deployment"
    # The resource's name in paths; the kind in small letters with an s when it is not given.
    resource: str = ""
    kubeconfig: str = ""
    context: str = ""
    timeout: Duration = 10 * SECOND

    def __post_init__(self) -> None:
        group, _, version = self.api_version.partition("/")
        if not group or not version or "/" in version:
            raise InvalidInput("expected GROUP/VERSION, such as apps/v1", pointer="/api_version")

    @property
    def plural(self) -> str:
        """The resource as paths name it."""
        return self.resource or f"{self.kind.lower()}s"

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Who is told to scale: a POST, signed with `secret` when there is one."""

    url: Secret
    secret: Secret | None = None
    timeout: Duration = 10 * SECOND
    http_config: HTTPClientConfig = field(default_factory=HTTPClientConfig)


@dataclass(frozen=True, slots=True)
class Policy:
    """One entry of `autoscaling`.

    `replicas` is a query for the number there are, `ready` for those that are
    ready (all of them without it). Without `replicas` a workload is asked for
    its scale, and of anything else it is assumed that the last decision was
    carried out. Queries go to `datasource`; without one to that of the file,
    and with LOCAL to our own engine whatever the file says.
    """

    name: str
    max_replicas: int
    metrics: tuple[MetricOptions, ...]
    min_replicas: int = 1
    mode: Mode = Mode.SHADOW
    replicas: str = ""
    ready: str = ""
    workload: WorkloadOptions | None = None
    webhook: WebhookOptions | None = None
    interval: Duration = 15 * SECOND
    behavior: Behavior | None = None
    datasource: Datasource | Literal["local"] | None = None

    def __post_init__(self) -> None:
        if not self.metrics:
            raise InvalidInput("a policy needs a metric", pointer="/metrics")
        if not 0 < self.max_replicas <= _MOST_REPLICAS:
            raise InvalidInput(f"must be from 1 to {_MOST_REPLICAS}", pointer="/max_replicas")
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise InvalidInput("must be from 0 to max_replicas", pointer="/min_replicas")
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names):
            raise InvalidInput("two metrics have one name", pointer="/metrics")
        if self.workload is not None and self.webhook is not None:
            raise InvalidInput("either workload or webhook", pointer="/webhook")
        if self.interval < SECOND:
            raise InvalidInput("must be at least 1s", pointer="/interval")

    @property
    def scales(self) -> str:
        """What is scaled, for people."""
        return self.name if self.workload is None else str(self.workload)


@dataclass(frozen=True, slots=True)
class ExternalScalerOptions:
    """Where KEDA's external scaler is answered. Away from loopback clients show a certificate."""

    listen: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""

    def __post_init__(self) -> None:
        host, colon, port = self.listen.rpartition(":")
        if self.listen and (not colon or not host or not port.isdecimal()):
            raise InvalidInput("expected HOST:PORT", pointer="/listen")
        if bool(self.cert_file) != bool(self.key_file):
            raise InvalidInput("cert_file and key_file go together", pointer="/cert_file")
        local = host.strip("[]") in ("", "127.0.0.1", "::1", "localhost")
        if not local and not (self.cert_file and self.client_ca_file):
            raise InvalidInput(
                "away from loopback it needs cert_file, key_file and client_ca_file",
                pointer="/listen",
            )
