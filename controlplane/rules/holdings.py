"""Which groups are evaluated here, each under the fence with which it was taken over.

What a replica remembers of a group is worth something only as long as nobody
else has had it: so the fence is taken before the group's state is loaded, and
goes with every pass until the group is let go of.
"""

from collections.abc import Collection, Mapping

from controlplane.errors import Fenced
from controlplane.model.fence import Fence
from controlplane.model.share import Share


class Holdings:
    """Changed on the event loop only; `fence` may be asked from any thread."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._held: dict[str, Fence] = {}
        self._spoiled: dict[str, Fence] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def fence(self, key: str) -> Fence | None:
        """Return under which fence a group is held, None when it is not."""
        return self._held.get(key)

    def still(self, key: str) -> Fence | None:
        """Return the fence of a group that is held and still ours, whoever was told what."""
        fence = self._held.get(key)
        return fence if fence is not None and self._current(key) == fence else None

    def free(self, keys: Collection[str]) -> dict[str, Fence]:
        """Return which of these groups are ours and not held yet, and under which fence."""
        current = {key: self._current(key) for key in keys if key not in self._held}
        return {
            key: fence
            for key, fence in current.items()
            if fence is not None and fence != self._spoiled.get(key)
        }

    def take(self, fences: Mapping[str, Fence]) -> None:
        """Hold these groups, whose state is there now."""
        for key, fence in fences.items():
            self._held[key] = fence
            self._spoiled.pop(key, None)

    def let_go(self, keys: Collection[str]) -> list[str]:
        """Hold none that is not among `keys`, or that is not ours as it was; return those."""
        lost = [key for key in self._held if key not in keys or self.still(key) is None]
        for key in lost:
            del self._held[key]
        return lost

    def spoil(self, key: str, fence: Fence) -> bool:
        """Never hold a group under this fence again; tell whether it was so held."""
        self._spoiled[key] = fence
        if self._held.get(key) != fence:
            return False
        del self._held[key]
        return True

    def _current(self, key: str) -> Fence | None:
        if not self._share.owns(key):
            return None
        try:
            return self._share.fence([key])
        except Fenced:
            return None
