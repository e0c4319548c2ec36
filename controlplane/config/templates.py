"""Texts that are templates: looked at while the file is read, so that none fails at delivery."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from controlplane.config.findings import Findings
from controlplane.config.kinds import Anything, text
from controlplane.config.schema import Leaf, ListOf, MapOf
from controlplane.errors import ConfigError
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence, read_text
from controlplane.notify.rendering import Templates
from controlplane.templating import ALERTMANAGER_FUNCTIONS, TemplateError, compile_template

# Raises InvalidInput for a text that is no template.
Check = Callable[[str], None]


def unchecked(_text: str) -> None:
    """Take any text: for sections that are only shown, or whose template files are bad."""


def template(check: Check) -> Leaf[str]:
    """Return the kind of a text that is a template."""

    def parse(node: Scalar) -> str:
        written = text(node)
        check(written)
        return written

    return Leaf("a text", parse, null=True)


class TemplateTree(Anything):
    """Any YAML whose texts, keys included, are templates."""

    __slots__ = ("_check",)

    def __init__(self, check: Check) -> None:
        self._check = check

    def read(self, node: Node, found: Findings, /) -> Any:
        if isinstance(node, Mapping):
            return MapOf("a mapping", self, self._check).read(node, found)
        if isinstance(node, Sequence):
            return ListOf("a list", self).read(node, found)
        value = super().read(node, found)
        if isinstance(value, str):
            self._check(value)
        return value


def read_templates(
    files: Iterable[str], found: Findings
) -> tuple[Check, tuple[tuple[str, str], ...]]:
    """Return the check of texts that may call the templates of these files, and (file, text) each.

    Notes what is wrong with a file; then what calls it cannot be judged, and passes.
    """
    texts = [(file, _template_file(file, found)) for file in files]
    sound = tuple((file, written) for file, written in texts if written is not None)
    if len(sound) < len(texts):
        return unchecked, sound
    return Templates(external_url="", files=sound).check, sound


def _template_file(file: str, found: Findings) -> str | None:
    try:
        written = read_text(Path(file))
        compile_template(written, file, functions=ALERTMANAGER_FUNCTIONS)
    except ConfigError as error:
        found.join(error)
    except TemplateError as error:
        place = f"template: {file}:{error.line}: "
        found.add(file, max(1, error.line), error.reason.removeprefix(place))
    else:
        return written
    return None
