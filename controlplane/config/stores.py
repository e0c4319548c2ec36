"""`storage` and `outbound`: the database, and the addresses that nobody may reach through us."""

from dataclasses import dataclass
from typing import Final

from controlplane.config.kinds import NATURAL, POSITIVE_DURATION, TEXTS
from controlplane.config.places import SECRET_FILE, show_inline
from controlplane.config.schema import Key, Leaf, Section
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret
from controlplane.storage.options import RetentionOptions, StorageOptions
from controlplane.transport.policy import DEFAULT_DENY, OutboundPolicy

# The second names a driver too: the one that is used anyway.
_DATABASES: Final = ("sqlite:///", "postgresql://", "postgresql+asyncpg://")


def _database_url(node: Scalar) -> Secret:
    if not node.text.startswith(_DATABASES):
        raise InvalidInput("expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    return Secret(node.text)


RETENTION: Final = Section(
    "storage_retention",
    RetentionOptions,
    {
        "probe_failures": Key(POSITIVE_DURATION),
        "notifications": Key(POSITIVE_DURATION),
        "dead_letters": Key(POSITIVE_DURATION),
        "ledger": Key(POSITIVE_DURATION),
        "uptime_minutes": Key(POSITIVE_DURATION),
        "uptime_hours": Key(POSITIVE_DURATION),
        "uptime_days": Key(POSITIVE_DURATION),
        "incidents": Key(POSITIVE_DURATION),
        "job_runs": Key(POSITIVE_DURATION),
    },
)
STORAGE: Final = Section(
    "storage",
    StorageOptions,
    {
        "url": Key(Leaf("a database URL", _database_url, show_inline, blank=True)),
        "url_file": Key(SECRET_FILE, field="url"),
        "read_url": Key(Leaf("a database URL", _database_url, show_inline, blank=True)),
        "read_url_file": Key(SECRET_FILE, field="read_url"),
        "pool_size": Key(NATURAL),
        "max_overflow": Key(NATURAL),
        "pool_timeout": Key(POSITIVE_DURATION),
        "connect_timeout": Key(POSITIVE_DURATION),
        "statement_timeout": Key(POSITIVE_DURATION),
        "pool_recycle": Key(POSITIVE_DURATION),
        "retention": Key(RETENTION),
    },
    unsupported={
        **dict.fromkeys(("tsdb", "exemplars"), "a Prometheus key"),
    },
)


@dataclass(frozen=True, slots=True)
class OutboundOptions:
    """Networks that no request of ours may be sent to; what is given replaces the default."""

    deny: tuple[str, ...] = DEFAULT_DENY

    def __post_init__(self) -> None:
        for place, network in enumerate(self.deny):
            try:
                OutboundPolicy((network,))
            except InvalidInput as error:
                raise InvalidInput(error.reason, pointer=f"/deny/{place}") from None


OUTBOUND: Final = Section("outbound", OutboundOptions, {"deny": Key(TEXTS)})
