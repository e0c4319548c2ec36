"""What can be set about the database: `storage:` in the configuration file."""

from dataclasses import dataclass, field

from controlplane.clock import Duration
from controlplane.model.duration import DAY, MINUTE, SECOND
from controlplane.model.secret import Secret


@dataclass(frozen=True, slots=True)
class RetentionOptions:
    """How long rows are kept that nothing needs any more.

    One field for each kind of row that grows without end; which table obeys
    which field stands beside the table, in `storage/tables/`.
    """

    probe_failures: Duration = 7 * DAY
    notifications: Duration = 30 * DAY
    dead_letters: Duration = 90 * DAY
    ledger: Duration = 30 * DAY
    uptime_minutes: Duration = 2 * DAY
    uptime_hours: Duration = 91 * DAY
    uptime_days: Duration = 800 * DAY
    incidents: Duration = 800 * DAY
    job_runs: Duration = 30 * DAY


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Where the SQL database is, and how to speak to it. Durations in milliseconds.

    `url` is `sqlite:///path` or `postgresql://user:password@host/name`; None
    means SQLite in the data directory. `read_url` is a standby of that
    PostgreSQL, for reads. The pool settings count for PostgreSQL, for each of
    the two; SQLite has one writer and `pool_size` readers.
    """

    url: Secret | None = None
    read_url: Secret | None = None
    pool_size: int = 5
    max_overflow: int = 5
    pool_timeout: Duration = 10 * SECOND
    connect_timeout: Duration = 5 * SECOND
    statement_timeout: Duration = 30 * SECOND
    pool_recycle: Duration = 30 * MINUTE
    retention: RetentionOptions = field(default_factory=RetentionOptions)
