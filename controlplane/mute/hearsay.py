"""What was said of targets by replicas that do not know whether it is their own network.

Such a word is doubted: the alerts about its target wait, until another replica
has probed the target, or the first one says that it was not its network. No
replica is doubted for longer than `hold`, as our own network is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import MINUTE
from controlplane.model.member import Network
from controlplane.mute.ports import LastWord, Word
from controlplane.mute.storm import NETWORK_REASONS

# What failed so long before its replica was in doubt may be of the same mass failure, which
# begins an interval of two minutes before it is one; clocks of replicas differ.
_BEFORE: Final[Duration] = 3 * MINUTE


@dataclass(frozen=True, slots=True)
class Trouble:
    """A replica is doubted `since` an instant of ours; `over` when it is well again, or gone."""

    since: Timestamp
    isolated: bool
    over: bool = False

    def lasts(self, now: Timestamp, hold: Duration) -> bool:
        """Tell whether it is still a reason to wait."""
        return self.since <= now < self.since + hold

    def __str__(self) -> str:
        if self.isolated:
            return "cannot reach any of its canaries"
        return "asks its canaries whether it is its own network that fails"


def follow(known: Trouble | None, network: Network | None, now: Timestamp) -> Trouble | None:
    """Return how it stands with a replica that says this of its network; None says nothing.

    One that was isolated said what it could not know: what it says from when it
    is well is believed, what it said before is not. One that is gone cannot
    take back what it said.
    """
    isolated = network in (Network.ISOLATED, Network.RECOVERING)
    if network in (Network.DOUBTED, Network.ISOLATED) and (known is None or known.over):
        return Trouble(now, isolated)
    if known is None or (network is Network.CONNECTED and not known.isolated):
        return None
    over = network not in (Network.DOUBTED, Network.ISOLATED)
    return replace(known, isolated=known.isolated or isolated, over=over)


def doubt(
    before: Word | None,
    word: Word | None,
    troubles: Mapping[str, Trouble],
    now: Timestamp,
    hold: Duration,
) -> Word | None:
    """Return the word on a target that keeps alerts about it waiting; None when they need not.

    `word` is the last one, `before` is the one that was doubted at the last
    look. When the last one is that the target is well, the alert is about to
    end: it waits on, so that it ends untold.
    """
    doubted = before if word is not None and word.success else word
    trouble = None if doubted is None else troubles.get(doubted.replica)
    if doubted is None or trouble is None or not trouble.lasts(now, hold):
        return None
    if doubted != before and (
        trouble.over
        or doubted.reason not in NETWORK_REASONS
        or doubted.since < trouble.since - _BEFORE
    ):
        return None
    return doubted


class Hearsay:
    """Which targets are doubted. Decides nothing by itself: it is told when to look."""

    def __init__(self, last_word: LastWord) -> None:
        self._last_word = last_word
        self._troubles: dict[str, Trouble] = {}
        self._doubted: dict[str, Word] = {}

    def __bool__(self) -> bool:
        return bool(self._troubles)

    @property
    def doubted(self) -> Iterable[str]:
        """The ids of the targets in doubt."""
        return self._doubted.keys()

    def hear(self, networks: Mapping[str, Network], now: Timestamp, hold: Duration) -> bool:
        """Take note of what the replicas say of their networks; tell whether it is news."""
        known = self._troubles
        followed = {
            name: follow(known.get(name), networks.get(name), now)
            for name in known.keys() | networks.keys()
        }
        # One that is still in trouble is kept when nobody waits for it any more.
        self._troubles = {
            name: trouble
            for name, trouble in followed.items()
            if trouble is not None and (not trouble.over or trouble.lasts(now, hold))
        }
        return self._troubles != known

    def look(self, failing: Iterable[str], now: Timestamp, hold: Duration) -> None:
        """Doubt what is to be doubted of the targets that fail, and no longer what is not."""
        if not (self._troubles or self._doubted):
            return
        for target_id in {*failing, *self._doubted}:
            self._judge(target_id, now, hold)

    def why(self, targets: Iterable[str], now: Timestamp, hold: Duration) -> str:
        """Return why alerts about these targets wait, or nothing."""
        if not self._troubles:
            return ""
        words = (self._judge(each, now, hold) for each in sorted(targets))
        word = next((each for each in words if each is not None), None)
        return "" if word is None else f"replica {word.replica} {self._troubles[word.replica]}"

    def _judge(self, target_id: str, now: Timestamp, hold: Duration) -> Word | None:
        before, last = self._doubted.get(target_id), self._last_word(target_id)
        word = doubt(before, last, self._troubles, now, hold)
        if word is None:
            self._doubted.pop(target_id, None)
        else:
            self._doubted[target_id] = word
        return word
