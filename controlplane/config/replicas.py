"""What several replicas have to share, and a file with `cluster.url` has to name."""

from typing import Final

from controlplane.config.config import Config

# What every replica has to read and write elsewhere, unless all it does is to notify.
_ELSEWHERE: Final = ("datasource", "remote_write")


def own_database(config: Config, *, sqlite: bool) -> str:
    """Return why the replicas would not share a database; nothing when they do."""
    if config.cluster.url is None or not sqlite:
        return ""
    return (
        "cluster.url: several replicas need one PostgreSQL (storage.url): "
        "a SQLite file belongs to one process"
    )


def own_samples(config: Config) -> str:
    """Return why replicas that probe or evaluate would not share samples; nothing when they do."""
    lacking = [key for key in _ELSEWHERE if not getattr(config, key)]
    if config.cluster.url is None or not lacking:
        return ""
    return (
        f"cluster.url: {' and '.join(lacking)} missing: each replica would keep samples "
        "of its own and read others than the rest; all need one engine to write to and to ask"
    )
