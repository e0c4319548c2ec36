"""`cluster`: the Redis through which replicas of one service find each other."""

import re
from typing import Final
from urllib.parse import urlsplit

from controlplane.cluster.options import ClusterOptions
from controlplane.config.kinds import POSITIVE_DURATION, text
from controlplane.config.places import SECRET_FILE, show_inline
from controlplane.config.schema import Key, Leaf, Section
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret

_WANTED: Final = "expected redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS"
# Braces have a meaning in the keys of a Redis cluster.
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")


def _redis_url(node: Scalar) -> Secret:
    """Return the URL. Its text is in no message: it may hold a password."""
    try:
        parts = urlsplit(node.text)
        sound = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise InvalidInput(_WANTED)
    if not (parts.path in ("", "/") or parts.path[1:].isdecimal()):
        raise InvalidInput(_WANTED)
    return Secret(node.text)


def _prefix(node: Scalar) -> str:
    written = text(node)
    if _PREFIX.match(written) is None:
        raise InvalidInput("expected up to 64 letters, digits, and any of _ . : -")
    return written


CLUSTER: Final = Section(
    "cluster",
    ClusterOptions,
    {
        "url": Key(Leaf("the URL of a Redis", _redis_url, show_inline, blank=True)),
        "url_file": Key(SECRET_FILE, field="url"),
        "prefix": Key(Leaf("a prefix", _prefix)),
        "lease": Key(POSITIVE_DURATION),
        "renew": Key(POSITIVE_DURATION),
    },
)
