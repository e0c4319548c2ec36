"""The uids of our dashboards: they never change, for links and bookmarks hold them."""

from typing import Final

FLEET: Final = "controlplane-fleet"
TARGET: Final = "controlplane-target"
SERVICE: Final = "controlplane-service-red"
RULES: Final = "controlplane-rules"
ALERTING: Final = "controlplane-alerting"
RECEIVERS: Final = "controlplane-receivers"
AUTOSCALING: Final = "controlplane-autoscaling"
ITSELF: Final = "controlplane-itself"
