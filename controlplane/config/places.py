"""The kinds of scalars that name a place: paths, URLs, and secrets given here or in a file."""

from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from controlplane.config.kinds import text
from controlplane.config.schema import OMITTED, Leaf, ListOf
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import REDACTED, Secret
from controlplane.notify.integrations.email.options import Smarthost
from controlplane.settings.secret_files import FileSecret

# The file of what was sent to the API: it stands in no directory of ours.
SENT: Final = "(sent)"
_PROXY_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})


def _path(node: Scalar) -> str:
    if not node.text or "\0" in node.text:
        raise InvalidInput("expected a path")
    if node.file == SENT:
        raise InvalidInput("only the configuration file may name files of the server")
    return str(Path(node.file).parent / node.text)


def _pattern(node: Scalar) -> str:
    if "*" in node.text.rpartition("/")[0]:
        raise InvalidInput(f"wildcards belong in the last part of a path: {node.text}")
    return _path(node)


def split_url(text: str) -> SplitResult:
    """Return the parts of an absolute http or https URL. Its text is in no message.

    Raises InvalidInput.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidInput("not a valid URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidInput("not a URL with http:// or https:// and a host")
    if any(letter.isspace() or ord(letter) < 32 for letter in text):
        raise InvalidInput("not a valid URL: it holds a space or control character")
    return parts


def _url(node: Scalar) -> str:
    split_url(node.text)
    return node.text


def _proxy_url(node: Scalar) -> str:
    try:
        parts = urlsplit(node.text)
        sound = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise InvalidInput("not the URL of a proxy: write it like http://host:3128")
    return node.text


def redact_url(url: str) -> str:
    """Return the URL with its password struck out."""
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
    except ValueError:
        return REDACTED
    rest = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:xxxxx@{rest}").geturl()


def _secret(node: Scalar) -> Secret:
    return Secret(text(node))


def _secret_url(node: Scalar) -> Secret:
    split_url(node.text)
    return Secret(node.text)


def _secret_file(node: Scalar) -> Secret:
    return FileSecret(Path(_path(node)))


def show_inline(secret: object) -> object:
    """Return how a secret is shown under the key that holds it itself, not its file."""
    return OMITTED if isinstance(secret, FileSecret) else REDACTED


def _show_file(secret: object) -> object:
    return str(secret.path) if isinstance(secret, FileSecret) else OMITTED


def _smarthost(node: Scalar) -> Smarthost:
    host, colon, port = node.text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InvalidInput(f"expected HOST:PORT, not {node.text!r}")
    return Smarthost(host, int(port))


SMARTHOST: Final = Leaf("HOST:PORT", _smarthost, str, blank=True)
PATH: Final = Leaf("a path", _path, blank=True)
URL: Final = Leaf("a URL", _url, redact_url)
SECRET: Final = Leaf("a secret", _secret, show_inline, blank=True)
SECRET_URL: Final = Leaf("a URL", _secret_url, show_inline)
SECRET_FILE: Final = Leaf("a path", _secret_file, _show_file, blank=True)

PROXY_URL: Final = Leaf("a URL", _proxy_url, redact_url, blank=True)

# Patterns may have wildcards in their last part only, as Prometheus' rule_files.
PATTERNS: Final = ListOf("a list of paths", Leaf("a path", _pattern))
PATHS: Final = ListOf("a list of paths", PATH)
