"""What `/ready` looks at: the database, the sample store, the loops, the other replicas."""

from collections.abc import Mapping

from controlplane.api.surface import Check
from controlplane.app.sharing import Sharing
from controlplane.app.supervisor import Supervisor
from controlplane.storage.database import Database
from controlplane.tsdb.store import Store


def readiness_checks(
    database: Database, store: Store, supervisor: Supervisor, sharing: Sharing
) -> Mapping[str, Check]:
    """Return the checks by the name of what they look at."""

    async def ask_database() -> str:
        await database.ping()
        return ""

    async def ask_store() -> str:
        health = store.healthy()
        return "" if health.ok else health.reason

    async def ask_loops() -> str:
        down = supervisor.down()
        return f"not running: {', '.join(down)}" if down else ""

    return {
        "database": ask_database,
        "store": ask_store,
        "loops": ask_loops,
        "cluster": sharing.ready,
    }
