"""`scrape_configs`: prometheus.yml's jobs, with static and file discovery."""

import re
from functools import partial
from typing import Any, Final

from controlplane.config.globals import INHERITED_LIMITS, INHERITED_SWITCHES, GlobalOptions
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import (
    BOOLEAN,
    DURATION,
    LABEL_NAME,
    LABELS,
    NATURAL,
    SIZE,
    TEXT,
    TEXTS,
    choice,
    member,
    text,
)
from controlplane.config.places import PATH
from controlplane.config.schema import Key, Leaf, ListOf, MapOf, Section, UniqueList
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.matchers import compile_regex
from controlplane.model.relabel import Action, RelabelConfig
from controlplane.scrape.options import (
    DEFAULT_PROTOCOLS,
    NATIVE_PROTOCOLS,
    FileSdConfig,
    ScrapeConfig,
    ScrapeProtocol,
    StaticConfig,
)

_DISCOVERED_FILE: Final = re.compile(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)\Z")

# Every other way to discover targets that Prometheus has.
_FOREIGN_DISCOVERY: Final = (
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "dns",
    "docker",
    "dockerswarm",
    "ec2",
    "ecs",
    "elasticache",
    "eureka",
    "gce",
    "hetzner",
    "http",
    "ionos",
    "kubernetes",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
)
_FOREIGN_KEYS: Final = (
    "scrape_failure_log_file",
    "scrape_classic_histograms",
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
)


def _relabel_regex(node: Scalar) -> str:
    pattern = text(node)
    compile_regex(pattern)
    return pattern


RELABEL: Final = Section(
    "relabel_config",
    RelabelConfig,
    {
        "action": Key(member(Action, fold=True)),
        "source_labels": Key(ListOf("a list of label names", LABEL_NAME)),
        "separator": Key(TEXT),
        "regex": Key(Leaf("a regular expression", _relabel_regex, null=True)),
        "modulus": Key(NATURAL),
        "target_label": Key(TEXT),
        "replacement": Key(TEXT),
    },
)
_RELABELS: Final = ListOf("a list of relabelling steps", RELABEL)

STATIC: Final = Section(
    "static_config",
    lambda targets=(), **labels: StaticConfig(targets, **labels),
    {"targets": Key(TEXTS), "labels": Key(LABELS)},
)


def _discovered_file(node: Scalar) -> str:
    if _DISCOVERED_FILE.match(node.text) is None:
        raise InvalidInput(
            f"{node.text!r} is not valid for file discovery: expected *.json or *.yml"
        )
    return PATH.parse(node)


def _file_sd(files: tuple[str, ...] = (), **values: Any) -> FileSdConfig:
    if not files:
        raise InvalidInput("file_sd_config: files must name at least one")
    return FileSdConfig(files, **values)


FILE_SD: Final = Section(
    "file_sd_config",
    _file_sd,
    {
        "files": Key(ListOf("a list of paths", Leaf("a path", _discovered_file))),
        "refresh_interval": Key(DURATION),
    },
)


def _scrape(defaults: GlobalOptions, **values: Any) -> ScrapeConfig:
    """Fill in what `global` says; a 0 counts as not given, as in Prometheus."""
    interval = values.get("scrape_interval") or defaults.scrape_interval
    values["scrape_interval"] = interval
    values["scrape_timeout"] = values.get("scrape_timeout") or min(
        defaults.scrape_timeout, interval
    )
    for limit in INHERITED_LIMITS:
        values[limit] = values.get(limit) or getattr(defaults, limit)
    for switch in INHERITED_SWITCHES:
        values.setdefault(switch, getattr(defaults, switch))
    protocols = defaults.scrape_protocols
    if values["scrape_native_histograms"] and protocols is DEFAULT_PROTOCOLS:
        protocols = NATIVE_PROTOCOLS
    values.setdefault("scrape_protocols", protocols)
    config = ScrapeConfig(**values)
    _check_static(config)
    return config


def _check_static(config: ScrapeConfig) -> None:
    """Refuse URLs where addresses belong, unless relabelling may yet make addresses of them."""
    if config.relabel_configs:
        return
    for place, group in enumerate(config.static_configs):
        for index, address in enumerate(group.targets):
            if "/" in address:
                raise InvalidInput(
                    f"{address!r} is not a valid address: expected host:port",
                    pointer=f"/static_configs/{place}/targets/{index}",
                )


def scrape_config(defaults: GlobalOptions) -> Section[ScrapeConfig]:
    """Return the section of one job under a file's `global`."""
    return Section(
        "scrape_config",
        partial(_scrape, defaults),
        {
            "job_name": Key(TEXT, required=True),
            "scrape_interval": Key(DURATION),
            "scrape_timeout": Key(DURATION),
            "scrape_protocols": Key(ListOf("a list of protocols", member(ScrapeProtocol))),
            "fallback_scrape_protocol": Key(member(ScrapeProtocol)),
            "metrics_path": Key(TEXT),
            "scheme": Key(choice("http", "https")),
            "params": Key(MapOf("a mapping of lists of texts", TEXTS)),
            "honor_labels": Key(BOOLEAN),
            "honor_timestamps": Key(BOOLEAN),
            "track_timestamps_staleness": Key(BOOLEAN),
            "enable_compression": Key(BOOLEAN),
            **dict.fromkeys(INHERITED_SWITCHES, Key(BOOLEAN)),
            "body_size_limit": Key(SIZE),
            "sample_limit": Key(NATURAL),
            "label_limit": Key(NATURAL),
            "label_name_length_limit": Key(NATURAL),
            "label_value_length_limit": Key(NATURAL),
            "target_limit": Key(NATURAL),
            "keep_dropped_targets": Key(NATURAL),
            "static_configs": Key(ListOf("a list of target groups", STATIC)),
            "file_sd_configs": Key(ListOf("a list of file discoveries", FILE_SD)),
            "relabel_configs": Key(_RELABELS),
            "metric_relabel_configs": Key(_RELABELS),
        },
        inlines={"http_client": HTTP_CLIENT},
        unsupported=dict.fromkeys(
            (*_FOREIGN_KEYS, *(f"{name}_sd_configs" for name in _FOREIGN_DISCOVERY)),
            "a Prometheus key",
        ),
    )


def scrape_configs(defaults: GlobalOptions) -> UniqueList[ScrapeConfig]:
    """Return the list of jobs; their names are unique."""
    return UniqueList("a list of scrape configs", scrape_config(defaults), "job_name")
