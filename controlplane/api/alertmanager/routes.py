"""All routes of Alertmanager's API."""

from typing import Final

from controlplane.api.alertmanager import alerts, groups, silences, status

ROUTERS: Final = (alerts.router, groups.router, silences.router, status.router)
