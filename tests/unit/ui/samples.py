"""Samples put into the store of an application, to be asked for by pages."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.unit.ui.console import Reader


async def put(
    reader: Reader, *series: tuple[Mapping[str, str], Sequence[tuple[Timestamp, float]]]
) -> None:
    """Append samples of series, and wait until they are visible."""
    store = cast(Store, reader.on.store)
    refs = store.refs([Labels(labels) for labels, _ in series])
    writes = [
        Write("test", time, refs[place : place + 1], np.array([value]))
        for place, (_, samples) in enumerate(series)
        for time, value in samples
    ]
    store.append(writes)
    assert await asyncio.to_thread(store.flush)
