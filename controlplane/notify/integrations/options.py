"""What the options of all integrations share.

Each folder's `options.py` has the keys of one kind of receiver under the names
that alertmanager.yml gives them. A pair such as `api_url` and `api_url_file`
is one `Secret`, which reads the file at each use. Texts are Go templates unless
said otherwise. What `global` defaults has been filled in by whoever builds these.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.transport.options import HTTPClientConfig

# JSON whose strings are templates.
Templated = str | int | float | bool | None | Mapping[str, "Templated"] | tuple["Templated", ...]

HTTP_DEFAULTS: Final = HTTPClientConfig()


class IntegrationConfig(Protocol):
    """What every kind has. `timeout` limits one attempt; 0 leaves it to the delivery settings."""

    @property
    def send_resolved(self) -> bool: ...
    @property
    def timeout(self) -> Duration: ...


def required(options: object, key: str, where: str) -> None:
    """Raise InvalidInput where a key holds nothing; `from_` is the key `from`."""
    if not getattr(options, key):
        name = key.rstrip("_")
        raise InvalidInput(f"missing {name} in {where} configuration", pointer=f"/{name}")
