"""`apprise_configs`, which are ours."""

from dataclasses import replace
from typing import Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.kinds import BOOLEAN, GO_DURATION, choice
from controlplane.config.places import SECRET, SECRET_FILE
from controlplane.config.schema import Key, Leaf, Section
from controlplane.config.templates import Check, template
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret
from controlplane.notify.integrations.apprise.options import FORMATS, AppriseConfig
from controlplane.notify.integrations.apprise.services import check_url


def _service_url(node: Scalar) -> Secret:
    check_url(node.text)
    return SECRET.parse(node)


_SERVICE_URL: Final[Leaf[Secret]] = replace(SECRET, title="a URL", parse=_service_url)


def apprise_config(_defaults: GlobalOptions, check: Check) -> Section[AppriseConfig]:
    """Return the section of one entry of `apprise_configs`."""
    text = template(check)
    return Section(
        "apprise_config",
        AppriseConfig,
        {
            "send_resolved": Key(BOOLEAN),
            "url": Key(_SERVICE_URL, required=True),
            "url_file": Key(SECRET_FILE, field="url"),
            "title": Key(text),
            "body": Key(text),
            "format": Key(choice(*FORMATS)),
            "type": Key(text),
            "timeout": Key(GO_DURATION),
        },
    )
