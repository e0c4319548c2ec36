"""How check-ins fare: CheckInStore of notify.ports."""

from collections.abc import Sequence

from sqlalchemy import select

from controlplane.model.fence import Fence
from controlplane.notify.check_in import CheckInStatus, Result
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.tables.check_ins import check_ins
from controlplane.storage.writing import put


class SqlCheckIns:
    """A row for each name, of its last turn."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[CheckInStatus]:
        wanted = select(check_ins).order_by(check_ins.c.name)
        async with self._db.read() as connection:
            return [
                CheckInStatus(row.name, Result(row.result), row.at, row.problem)
                for row in await connection.execute(wanted)
            ]

    async def save(self, status: CheckInStatus, fence: Fence) -> None:
        row = {
            "name": status.name,
            "result": status.result.value,
            "at": status.at,
            "problem": status.problem,
        }
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            await put(connection, check_ins, [row])
