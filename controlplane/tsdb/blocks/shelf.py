"""The directory of blocks: what is found there at start, what is put in and taken out."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.cache import PageCache
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.files import SET_ASIDE, UNFINISHED, removed, set_aside
from controlplane.tsdb.metrics import StoreMetrics

log = get_logger(__name__)


class Shelf:
    """Opens, removes and sets blocks aside. Not for two threads at once."""

    def __init__(self, root: Path, cache: PageCache, metrics: StoreMetrics) -> None:
        self.root = root
        self._cache = cache
        self._metrics = metrics

    def load(self) -> list[Block]:
        """Open all blocks, without those that others replace; leave no unfinished ones.

        Raises OSError when the directory cannot be used.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for path in self.root.glob(f"*{UNFINISHED}"):
            shutil.rmtree(path, ignore_errors=True)
        found = [path for path in sorted(self.root.iterdir()) if path.is_dir()]
        opened = [self.open(path) for path in found if path.suffix != SET_ASIDE]
        blocks = [block for block in opened if block is not None]
        replaced = {name for block in blocks for name in block.meta.parents}
        self.remove(block for block in blocks if block.meta.name in replaced)
        return [block for block in blocks if block.meta.name not in replaced]

    def open(self, path: Path) -> Block | None:
        """Open a block; one that is not what was written is set aside."""
        try:
            return Block(path, self._cache)
        except (Corrupt, OSError) as error:
            self.set_aside(path, error)
            return None

    def set_aside(self, path: Path, error: Exception) -> None:
        """Keep a block that cannot be used for people to look at."""
        self._metrics.blocks_corrupt.inc()
        log.warning("block is damaged, set aside", block=path.name, reason=str(error))
        try:
            set_aside(path)
        except OSError as again:
            log.warning("damaged block cannot be moved", block=path.name, reason=str(again))

    def remove(self, blocks: Iterable[Block]) -> None:
        """Remove blocks; who reads them still may go on. What fails is tried at the next start."""
        for block in blocks:
            try:
                removed(block.path)
            except OSError as error:
                log.warning("block cannot be removed", block=block.meta.name, reason=str(error))
