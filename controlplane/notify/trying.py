"""All that is tried before it matters, in one hand."""

from dataclasses import dataclass

from controlplane.notify.check_ins import CheckIns
from controlplane.notify.drills import Drills
from controlplane.notify.health import ReceiverHealth
from controlplane.notify.receiver_tests import ReceiverTests


@dataclass(frozen=True, slots=True)
class Trying:
    """How receivers fare, tests of them, fire drills, and check-ins elsewhere."""

    health: ReceiverHealth
    tests: ReceiverTests
    drills: Drills
    check_ins: CheckIns
