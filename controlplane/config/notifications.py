"""`notification_settings`: how hard deliveries are tried."""

from typing import Final

from controlplane.config.kinds import FRACTION, NATURAL, POSITIVE_DURATION
from controlplane.config.schema import Key, Section
from controlplane.notify.options import DeliveryOptions

NOTIFICATION_SETTINGS: Final = Section(
    "notification_settings",
    DeliveryOptions,
    {
        "timeout": Key(POSITIVE_DURATION),
        "concurrency": Key(NATURAL),
        "rate": Key(FRACTION),
        "burst": Key(NATURAL),
        "max_age": Key(POSITIVE_DURATION),
        "max_attempts": Key(NATURAL),
        "first_backoff": Key(POSITIVE_DURATION),
        "longest_backoff": Key(POSITIVE_DURATION),
        "lease": Key(POSITIVE_DURATION),
    },
)
