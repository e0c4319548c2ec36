"""What replicas said whose own network is in doubt: what of it is believed, and when."""

from dataclasses import replace

import pytest

from controlplane.model.member import Network
from controlplane.mute.hearsay import Hearsay, Trouble, doubt, follow
from tests.unit.mute.outage import Said
from tests.unit.mute.world import NOW

HOLD = 120_000
ASKS, CUT_OFF = Trouble(NOW, isolated=False), Trouble(NOW, isolated=True)
WELL_AGAIN = replace(CUT_OFF, over=True)
FAILS = Said(success=False, reason="timeout", since=NOW, replica="a")
WELL = Said(success=True, reason="", since=NOW + 5, replica="b")
LATER = NOW + 10_000


@pytest.mark.parametrize(
    ("known", "network", "then"),
    [
        (None, None, None),
        (None, Network.CONNECTED, None),
        (None, Network.DOUBTED, Trouble(LATER, isolated=False)),
        (None, Network.ISOLATED, Trouble(LATER, isolated=True)),
        (ASKS, Network.DOUBTED, ASKS),
        (ASKS, Network.ISOLATED, CUT_OFF),
        (ASKS, Network.CONNECTED, None),
        (ASKS, None, replace(ASKS, over=True)),
        (CUT_OFF, Network.ISOLATED, CUT_OFF),
        (CUT_OFF, Network.RECOVERING, WELL_AGAIN),
        (ASKS, Network.RECOVERING, WELL_AGAIN),
        (None, Network.RECOVERING, None),
        (WELL_AGAIN, Network.ISOLATED, Trouble(LATER, isolated=True)),
        (CUT_OFF, Network.DOUBTED, CUT_OFF),
        (CUT_OFF, Network.CONNECTED, WELL_AGAIN),
        (CUT_OFF, None, WELL_AGAIN),
        (WELL_AGAIN, Network.CONNECTED, WELL_AGAIN),
        (WELL_AGAIN, Network.DOUBTED, Trouble(LATER, isolated=False)),
    ],
)
def test_what_a_replica_says_is_followed(
    known: Trouble | None, network: Network | None, then: Trouble | None
) -> None:
    """One that asked and was not cut off is believed after all; one that was is from then on."""
    assert follow(known, network, LATER) == then


@pytest.mark.parametrize(
    ("before", "word", "trouble", "doubted"),
    [
        (None, None, CUT_OFF, None),
        (None, FAILS, ASKS, FAILS),
        (None, FAILS, CUT_OFF, FAILS),
        (None, FAILS, None, None),
        (None, FAILS, WELL_AGAIN, None),
        (None, WELL, CUT_OFF, None),
        (None, replace(FAILS, reason="status"), CUT_OFF, None),
        (None, replace(FAILS, since=NOW - 3_600_000), CUT_OFF, None),
        (None, replace(FAILS, replica="b"), CUT_OFF, None),
        (FAILS, replace(FAILS, replica="b"), CUT_OFF, None),
        (FAILS, replace(FAILS), WELL_AGAIN, FAILS),
        (FAILS, replace(FAILS, since=LATER), WELL_AGAIN, None),
        (FAILS, FAILS, None, None),
        (FAILS, WELL, CUT_OFF, FAILS),
        (FAILS, WELL, WELL_AGAIN, FAILS),
        (FAILS, None, CUT_OFF, None),
    ],
)
def test_which_words_are_doubted(
    before: Said | None, word: Said | None, trouble: Trouble | None, doubted: Said | None
) -> None:
    """Failures of a network that one said who may have none, until somebody else knows better."""
    troubles = {} if trouble is None else {"a": trouble}
    assert doubt(before, word, troubles, LATER, HOLD) == doubted
    assert doubt(before, word, troubles, NOW + HOLD, HOLD) is None


def test_a_replica_is_doubted_once_for_as_long_as_alerts_are_held() -> None:
    """One that stays cut off is believed then, and not doubted anew before it was well."""
    words = {"t": FAILS}
    hearsay = Hearsay(words.get)
    assert not hearsay.hear({"a": Network.CONNECTED, "b": Network.CONNECTED}, NOW, HOLD)
    assert not hearsay
    assert hearsay.hear({"a": Network.ISOLATED, "b": Network.CONNECTED}, NOW, HOLD)
    assert not hearsay.hear({"a": Network.ISOLATED, "b": Network.CONNECTED}, NOW + 1, HOLD)
    assert hearsay.why(["t"], NOW, HOLD) == "replica a cannot reach any of its canaries"
    hearsay.look(["t"], NOW, HOLD)
    assert set(hearsay.doubted) == {"t"}
    for late in (HOLD, 10 * HOLD):
        hearsay.hear({"a": Network.ISOLATED}, NOW + late, HOLD)
        assert not hearsay.why(["t"], NOW + late, HOLD)
    hearsay.look([], NOW + HOLD, HOLD)
    assert not set(hearsay.doubted)
    assert hearsay.hear({"a": Network.CONNECTED}, NOW + 10 * HOLD, HOLD)
    assert not hearsay
    words["t"] = replace(FAILS, since=NOW + 11 * HOLD)
    assert hearsay.hear({"a": Network.DOUBTED}, NOW + 11 * HOLD, HOLD)
    why = hearsay.why(["s", "t"], NOW + 11 * HOLD, HOLD)
    assert why == "replica a asks its canaries whether it is its own network that fails"
