"""What an engine can be told."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.duration import MINUTE

DEFAULT_LOOKBACK: Final = 5 * MINUTE
DEFAULT_MAX_SAMPLES: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits and switches of one engine; upstream's defaults.

    `default_step` is the step of subqueries that name none (upstream: the
    global evaluation interval). `experimental` turns on everything that
    upstream hides behind feature flags. `delayed_name_removal` keeps metric
    names until the end of the evaluation (upstream's flag of that name).
    `plan_cache_series` bounds the series that cached plans remember, and
    `shared_bytes` the columns that are kept for others who ask the same.
    """

    lookback: Duration = DEFAULT_LOOKBACK
    timeout: Duration = 2 * MINUTE
    max_samples: int = DEFAULT_MAX_SAMPLES
    default_step: Duration = MINUTE
    experimental: bool = False
    delayed_name_removal: bool = False
    plan_cache_size: int = 1024
    plan_cache_series: int = 5_000_000
    shared_bytes: int = 32 * 2**20
