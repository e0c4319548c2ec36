"""What a replica says of its own network: every transition, by what it saw and the time."""

import pytest

from controlplane.model.member import Network
from controlplane.mute.isolation import NOT_ISOLATED, Isolation, judge_isolation
from controlplane.mute.storm import CALM, Canaries, Mass, Phase, Storm
from tests.unit.mute.world import NOW

MASS = Mass(NOW, 4, 2, 15_000)
UP, DOWN = Canaries(NOW, 2, 1), Canaries(NOW, 2, 2)
DOUBTED = Isolation(Network.DOUBTED, NOW)
ISOLATED = Isolation(Network.ISOLATED, NOW)
RECOVERING = Isolation(Network.RECOVERING, NOW)


def storm(phase: Phase, mass: Mass | None = MASS) -> Storm:
    return Storm(phase, NOW, NOW, mass)


@pytest.mark.parametrize(
    ("known", "phase", "canaries", "after", "network"),
    [
        (NOT_ISOLATED, Phase.CALM, DOWN, 0, Network.CONNECTED),
        (NOT_ISOLATED, Phase.ASKING, UP, 0, Network.DOUBTED),
        (NOT_ISOLATED, Phase.CLEARED, UP, 0, Network.CONNECTED),
        (NOT_ISOLATED, Phase.RELEASED, UP, 0, Network.CONNECTED),
        (NOT_ISOLATED, Phase.RELEASED, DOWN, 0, Network.DOUBTED),
        (DOUBTED, Phase.ASKING, UP, 60_000, Network.DOUBTED),
        (DOUBTED, Phase.CLEARED, UP, 1, Network.CONNECTED),
        (DOUBTED, Phase.CALM, UP, 1, Network.CONNECTED),
        (DOUBTED, Phase.HOLDING, DOWN, 2_999, Network.DOUBTED),
        (DOUBTED, Phase.HOLDING, DOWN, 3_000, Network.ISOLATED),
        (DOUBTED, Phase.HOLDING, DOWN, -1, Network.ISOLATED),
        (DOUBTED, Phase.SETTLING, UP, 3_000, Network.DOUBTED),
        (DOUBTED, Phase.RELEASED, UP, 3_000, Network.CONNECTED),
        (ISOLATED, Phase.CALM, DOWN, 600_000, Network.ISOLATED),
        (ISOLATED, Phase.HOLDING, UP, 600_000, Network.RECOVERING),
        (RECOVERING, Phase.RELEASED, UP, 59_999, Network.RECOVERING),
        (RECOVERING, Phase.CALM, DOWN, 59_999, Network.ISOLATED),
        (RECOVERING, Phase.RELEASED, UP, 60_000, Network.CONNECTED),
        (RECOVERING, Phase.CALM, UP, -1, Network.CONNECTED),
    ],
)
def test_transitions(
    known: Isolation, phase: Phase, canaries: Canaries, after: int, network: Network
) -> None:
    """A mass failure begins it, canaries alone end it; neither at the first sign."""
    assert judge_isolation(known, storm(phase), canaries, NOW + after).network is network


def test_no_canary_alone_casts_doubt() -> None:
    """Canaries that are all gone, and nothing else fails: it is they."""
    assert judge_isolation(NOT_ISOLATED, CALM, DOWN, NOW) == NOT_ISOLATED
    resting = storm(Phase.RELEASED, mass=None)
    assert judge_isolation(NOT_ISOLATED, resting, DOWN, NOW) == NOT_ISOLATED


def test_a_cable_that_comes_and_goes_stays_isolated() -> None:
    """Canaries have to answer for a minute on end."""
    state, now = ISOLATED, NOW
    for _ in range(10):
        for canaries in (UP, UP, DOWN):
            now += 20_000
            state = judge_isolation(state, CALM, canaries, now)
            assert state.network is not Network.CONNECTED
    for _ in range(4):
        now += 20_000
        state = judge_isolation(state, CALM, UP, now)
    assert state == Isolation(Network.CONNECTED, now)
