"""From discovered labels to a job: defaults, relabelling, checks.

(prometheus/prometheus, scrape/target.go: PopulateLabels.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration, parse_duration
from controlplane.model.labels import Labels, is_utf8
from controlplane.model.relabel import relabel
from controlplane.scrape.discovery import ADDRESS, TargetGroup
from controlplane.scrape.job import ScrapeJob
from controlplane.scrape.options import ScrapeConfig
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_SCHEME: Final = "__scheme__"
_PATH: Final = "__metrics_path__"
_INTERVAL: Final = "__scrape_interval__"
_TIMEOUT: Final = "__scrape_timeout__"
_PARAM: Final = "__param_"
_RESERVED: Final = "__"
# What Go's url.URL leaves unescaped in a path.
_SAFE_IN_PATH: Final = "$&+,/:;=@"


@dataclass(frozen=True, slots=True)
class Targets:
    """What a configuration comes to: its jobs, and the labels of targets it dropped."""

    jobs: tuple[ScrapeJob, ...]
    dropped: tuple[Labels, ...]
    dropped_count: int


def targets_of(config: ScrapeConfig, groups: Iterable[TargetGroup]) -> Targets:
    """Return the jobs of a configuration, each target once.

    A target whose labels are no target (no address, a bad interval) is logged
    and left out. Over `target_limit`, all jobs are refused.
    """
    jobs: dict[str, ScrapeJob] = {}
    dropped: list[Labels] = []
    for target in (target for group in groups for target in group.targets()):
        discovered = discovered_labels(config, target)
        try:
            job = job_of(config, discovered)
        except InvalidInput as error:
            log.warning(
                "not a target", pool=config.job_name, labels=str(discovered), error=str(error)
            )
            continue
        if job is None:
            dropped.append(discovered)
        else:
            jobs.setdefault(job.key, job)
    kept = dropped[: config.keep_dropped_targets or None]
    return Targets(_limited(config, tuple(jobs.values())), tuple(kept), len(dropped))


def discovered_labels(config: ScrapeConfig, target: Mapping[str, str]) -> Labels:
    """Return a target's labels with what the configuration adds where they are silent."""
    defaults = {
        "job": config.job_name,
        _INTERVAL: format_duration(config.scrape_interval),
        _TIMEOUT: format_duration(config.scrape_timeout),
        _PATH: config.metrics_path,
        _SCHEME: config.scheme,
        **{_PARAM + name: values[0] for name, values in config.params.items() if values},
    }
    given = {name: value for name, value in target.items() if value}
    return Labels({**defaults, **given})


def job_of(config: ScrapeConfig, discovered: Labels) -> ScrapeJob | None:
    """Return the job of discovered labels; None when relabelling drops it.

    Raises InvalidInput when what relabelling left cannot be scraped.
    """
    labels = relabel(discovered, config.relabel_configs)
    if labels is None:
        return None
    address = labels.value(ADDRESS)
    if not address:
        raise InvalidInput("no address")
    if "/" in address:
        raise InvalidInput(f"{address!r} is not a valid hostname")
    if not all(map(is_utf8, labels.values())):
        raise InvalidInput("a label value is not valid UTF-8")
    interval = _duration(labels, _INTERVAL, "scrape interval")
    timeout = _duration(labels, _TIMEOUT, "scrape timeout")
    if timeout > interval:
        raise InvalidInput("scrape timeout cannot be greater than scrape interval")
    public = {name: value for name, value in labels.pairs if not name.startswith(_RESERVED)}
    public.setdefault("instance", address)
    url = url_of(config, labels)
    named = Labels(public)
    key = f"{config.job_name}/{Labels({**named, _PATH: url}).fingerprint()}"
    return ScrapeJob(key, url, named, interval, timeout, config, discovered)


def url_of(config: ScrapeConfig, labels: Labels) -> str:
    """Return the address that the labels of a target come to."""
    params = {name: list(values) for name, values in config.params.items()}
    for name, value in labels.pairs:
        if name.startswith(_PARAM):
            params[name.removeprefix(_PARAM)] = [
                value,
                *params.get(name.removeprefix(_PARAM), [])[1:],
            ]
    query = urlencode(sorted(params.items()), doseq=True)
    path = quote(labels.value(_PATH), safe=_SAFE_IN_PATH)
    slash = "" if path.startswith("/") or not path else "/"
    base = f"{labels.value(_SCHEME)}://{labels.value(ADDRESS)}{slash}{path}"
    return f"{base}?{query}" if query else base


def _duration(labels: Labels, name: str, words: str) -> Duration:
    duration = parse_duration(labels.value(name))
    if duration == 0:
        raise InvalidInput(f"{words} cannot be 0")
    return duration


def _limited(config: ScrapeConfig, jobs: tuple[ScrapeJob, ...]) -> tuple[ScrapeJob, ...]:
    limit = config.target_limit
    if not limit or len(jobs) <= limit:
        return jobs
    reason = f"target_limit exceeded (number of targets: {len(jobs)}, limit: {limit})"
    return tuple(replace(job, refused=reason) for job in jobs)
