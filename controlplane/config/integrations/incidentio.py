"""`incidentio_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import NATURAL
from controlplane.config.places import SECRET, SECRET_FILE, SECRET_URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check
from controlplane.notify.integrations.incidentio.options import IncidentioConfig


def incidentio_config(defaults: GlobalOptions, _check: Check) -> Section[IncidentioConfig]:
    """Return the section of one entry of `incidentio_configs`."""
    return posting(
        "incidentio_config",
        IncidentioConfig,
        defaults,
        {
            "url": Key(SECRET_URL, required=True),
            "url_file": Key(SECRET_FILE, field="url"),
            "alert_source_token": Key(SECRET),
            "alert_source_token_file": Key(SECRET_FILE, field="alert_source_token"),
            "max_alerts": Key(NATURAL),
        },
    )
