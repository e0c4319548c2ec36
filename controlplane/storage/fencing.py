"""Whether what was decided may still be written: asked in the transaction that writes it."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.errors import Fenced
from controlplane.model.fence import Fence
from controlplane.storage.tables.cluster import shards


async def check_fence(connection: AsyncConnection, fence: Fence) -> None:
    """Return when every share is still held as it was. Raises Fenced.

    Call it first in the transaction: until that ends, nobody can take one of
    the shares, as their rows are locked. An empty fence asks nothing.
    """
    if not fence:
        return
    rows = shards.c
    asked = [(token.role, token.shard) for token in fence.tokens]
    held = (
        select(rows.role, rows.shard, rows.token)
        .where(tuple_(rows.role, rows.shard).in_(asked))
        # All lock in one order: so no two wait for each other.
        .order_by(rows.role, rows.shard)
        .with_for_update(read=True)
    )
    found = {(row.role, row.shard): row.token for row in await connection.execute(held)}
    for role, shard, number in sorted(fence.tokens):
        if found.get((role, shard)) != number:
            raise Fenced(f"shard {shard} of the {role}s is another replica's now")
