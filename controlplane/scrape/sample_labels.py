"""From the labels that a target serves to those that are stored."""

from collections.abc import Mapping

from controlplane.model.labels import Labels
from controlplane.model.relabel import relabel
from controlplane.scrape.job import Failure, ScrapeFailed
from controlplane.scrape.options import ScrapeConfig


def stored_labels(
    served: Mapping[str, str], target: Mapping[str, str], config: ScrapeConfig
) -> Labels | None:
    """Return the label set under which a sample is stored; None when it is dropped.

    A label that both have is the target's own, and the served one goes on as
    `exported_<name>`, unless `honor_labels`. Raises ScrapeFailed when the
    outcome is no label set, or over a limit.
    """
    merged = {**target, **served} if config.honor_labels else _exported(served, target)
    if config.metric_relabel_configs:
        labels = relabel(merged, config.metric_relabel_configs)
        if labels is None:
            return None
    else:
        labels = Labels(merged)
    if not labels:
        return None
    _check(labels, config)
    return labels


def is_unlimited(config: ScrapeConfig) -> bool:
    """Tell whether a label set may be of any size."""
    return not (
        config.label_limit or config.label_name_length_limit or config.label_value_length_limit
    )


def _exported(served: Mapping[str, str], target: Mapping[str, str]) -> dict[str, str]:
    merged = {**served, **target}
    in_conflict = [name for name in target if served.get(name)]
    for name in sorted(in_conflict, key=len):
        exported = f"exported_{name}"
        while merged.get(exported):
            exported = f"exported_{exported}"
        merged[exported] = served[name]
    return merged


def _check(labels: Labels, config: ScrapeConfig) -> None:
    if not labels.name:
        raise ScrapeFailed(Failure.LABELS, "missing metric name (__name__ label)")
    if not labels.pairs[0][0]:  # names are sorted
        raise ScrapeFailed(Failure.LABELS, f"invalid metric name or label names: {labels}")
    if is_unlimited(config):
        return
    metric = f"metric: {labels.name:.50}"
    if config.label_limit and len(labels) > config.label_limit:
        raise ScrapeFailed(
            Failure.LABEL_LIMIT,
            f"label_limit exceeded ({metric}, number of labels: {len(labels)},"
            f" limit: {config.label_limit})",
        )
    for name, value in labels.pairs:
        _check_length("label_name_length_limit", name, config.label_name_length_limit, metric)
        _check_length("label_value_length_limit", value, config.label_value_length_limit, metric)


def _check_length(key: str, text: str, limit: int, metric: str) -> None:
    if limit and len(text.encode()) > limit:
        raise ScrapeFailed(
            Failure.LABEL_LIMIT, f"{key} exceeded ({metric}, {text:.50}, limit: {limit})"
        )
