"""From files to a `Config`, in one pass that finds everything wrong with them."""

import glob
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from controlplane.config.config import Config
from controlplane.config.document import document
from controlplane.config.findings import Findings
from controlplane.config.globals import GLOBAL, GlobalOptions
from controlplane.config.includes import read_files
from controlplane.config.probes import DEFAULT_MODULES
from controlplane.config.routing import check_receivers, check_root_route
from controlplane.errors import ConfigError
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence
from controlplane.rules.options import RuleGroup


def load(path: Path | str) -> Config:
    """Return what a file, and whatever it includes, says.

    It depends on the files only, and on the environment where external labels
    name variables. Raises ConfigError with every problem there is.
    """
    found = Findings()
    files = read_files(Path(path), found)
    root = files.root
    defaults = found.read_or(GLOBAL, root.get("global"), GlobalOptions())
    values, _ = document(defaults).values(root, found)
    _check_routing(root, found)
    if "route" in values:
        check_root_route(values["route"], root.entries["route"], found)
    _check_modules(root, found)
    rule_files = _matching(root.get("rule_files"), values.get("rule_files", ()), found)
    templates = _matching(root.get("templates"), values.get("templates", ()), found)
    groups = _groups(rule_files, found)
    found.raise_any()
    values |= {"global_": defaults, "rule_files": rule_files, "templates": templates}
    return Config(
        path=str(path),
        digest=hashlib.sha256(f"{files.digest}{groups!r}".encode()).hexdigest(),
        files=(*map(str, files.files), *rule_files),
        groups=groups,
        **values,
    )


def _check_routing(root: Mapping, found: Findings) -> None:
    """Check the tree against the names in `receivers`, even of those that are wrong in detail."""
    route, receivers = root.get("route"), root.get("receivers")
    if route is not None:
        check_receivers(route, _texts(receivers, "name"), found)
    elif receivers is not None:
        found.add(receivers.file, root.key_lines["receivers"], "there are receivers but no route")


def _check_modules(root: Mapping, found: Findings) -> None:
    """Refuse targets of the file whose module does not exist."""
    modules = root.get("modules")
    known = {*DEFAULT_MODULES, *(modules.entries if isinstance(modules, Mapping) else ())}
    for name in _scalars(root.get("targets"), "module"):
        if name.text not in known:
            found.add(name.file, name.line, f"there is no module {name.text!r}")


def _texts(node: Node | None, key: str) -> set[str]:
    return {scalar.text for scalar in _scalars(node, key)}


def _scalars(node: Node | None, key: str) -> Iterator[Scalar]:
    """Iterate over what stands under `key` in each entry of a list of mappings."""
    for item in node.items if isinstance(node, Sequence) else ():
        held = item.get(key) if isinstance(item, Mapping) else None
        if isinstance(held, Scalar):
            yield held


def _matching(node: Node | None, patterns: Iterable[str], found: Findings) -> tuple[str, ...]:
    """Return the files that patterns name, each once, sorted within a pattern.

    A pattern with a wildcard may match nothing; a plain path must be there.
    """
    files: dict[str, None] = {}
    lines = node.items if isinstance(node, Sequence) else ()
    for pattern, place in zip(patterns, lines, strict=True):
        matches = sorted(glob.glob(pattern))  # noqa: PTH207 - an absolute pattern, as text
        if not matches and not glob.has_magic(pattern):
            found.add(place.file, place.line, f"no such file: {pattern}")
        files |= dict.fromkeys(matches)
    return tuple(files)


def _groups(files: Iterable[str], found: Findings) -> tuple[RuleGroup, ...]:
    groups: list[RuleGroup] = []
    for file in files:
        from controlplane.rules.load import load_file  # noqa: PLC0415

        try:
            groups += load_file(Path(file))
        except ConfigError as error:
            found.join(error)
    return tuple(groups)
