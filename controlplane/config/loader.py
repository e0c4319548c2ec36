"""From files to a `Config`, in one pass that finds everything wrong with them."""

import glob
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from controlplane.config.config import Config
from controlplane.config.dependencies import check_dependencies
from controlplane.config.document import Context, document
from controlplane.config.findings import Findings
from controlplane.config.globals import GLOBAL, GlobalOptions
from controlplane.config.includes import read_files
from controlplane.config.muting import check_time_intervals
from controlplane.config.places import PATTERNS
from controlplane.config.probes import DEFAULT_MODULES
from controlplane.config.routing import check_receivers, check_root_route
from controlplane.config.targets import TARGET_SETTINGS
from controlplane.config.templates import read_templates
from controlplane.config.trying import check_drills
from controlplane.errors import ConfigError
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence
from controlplane.rules.load import load_file
from controlplane.rules.options import RuleGroup
from controlplane.targets.options import TargetOptions


def load(path: Path | str) -> Config:
    """Return what a file, and whatever it includes, says.

    It depends on the files only, and on the environment where external labels
    name variables. Raises ConfigError with every problem there is.
    """
    found = Findings()
    files = read_files(Path(path), found)
    root = files.root
    patterns = found.read_or(PATTERNS, root.get("templates"), (), "templates")
    templates = _matching(root.get("templates"), patterns, found)
    check, template_texts = read_templates(templates, found)
    context = Context(
        found.read_or(GLOBAL, root.get("global"), GlobalOptions(), "global"),
        found.read_or(
            TARGET_SETTINGS, root.get("target_settings"), TargetOptions(), "target_settings"
        ),
        _probers(root.get("modules")),
        check,
    )
    values, _ = document(context).values(root, found)
    _check_routing(root, found)
    if "route" in values:
        check_root_route(values["route"], root.entries["route"], found)
    rule_files = _matching(root.get("rule_files"), values.get("rule_files", ()), found)
    groups = _groups(rule_files, found)
    settings = values.get("rule_settings", ())
    check_dependencies(root, values.get("targets", ()), groups, settings, found)
    found.raise_any()
    values |= {"global_": context.defaults, "rule_files": rule_files, "templates": templates}
    return Config(
        path=str(path),
        digest=_digest(Path(path).parent, files.digest, groups, template_texts),
        files=(*map(str, files.files), *rule_files, *templates),
        groups=groups,
        template_texts=template_texts,
        **values,
    )


def _digest(
    home: Path, files: str, groups: Iterable[RuleGroup], texts: Iterable[tuple[str, str]]
) -> str:
    """Return what stands for all that was read, the same wherever its directory lies.

    What stands in the files of secrets is no part of it.
    """

    def place(file: str) -> str:
        return str(Path(file).relative_to(home)) if Path(file).is_relative_to(home) else file

    rules = [replace(group, file=place(group.file)) for group in groups]
    read = f"{files}{rules!r}{[(place(file), text) for file, text in texts]!r}"
    return hashlib.sha256(read.encode()).hexdigest()


def _check_routing(root: Mapping, found: Findings) -> None:
    """Check the tree against the names in `receivers`, even of those that are wrong in detail."""
    route, receivers = root.get("route"), root.get("receivers")
    names = _texts(receivers, "name")
    if route is not None:
        check_receivers(route, names, found)
    elif receivers is not None:
        found.add(receivers.file, root.key_lines["receivers"], "there are receivers but no route")
    check_time_intervals(root, found)
    check_drills(root, names, found)


def _probers(modules: Node | None) -> dict[str, str]:
    """Return the prober of each module, also of those that are wrong in detail."""
    probers = {name: module.prober for name, module in DEFAULT_MODULES.items()}
    for name, module in modules.entries.items() if isinstance(modules, Mapping) else ():
        prober = module.get("prober") if isinstance(module, Mapping) else None
        probers[name] = prober.text if isinstance(prober, Scalar) else ""
    return probers


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
    # There are no patterns where one of the lines was refused.
    for pattern, place in zip(patterns, lines, strict=False):
        matches = sorted(glob.glob(pattern))  # noqa: PTH207 - an absolute pattern, as text
        if not matches and not glob.has_magic(pattern):
            found.add(place.file, place.line, f"no such file: {pattern}")
        files |= dict.fromkeys(matches)
    return tuple(files)


def _groups(files: Iterable[str], found: Findings) -> tuple[RuleGroup, ...]:
    groups: list[RuleGroup] = []
    for file in files:
        try:
            groups += load_file(Path(file))
        except ConfigError as error:
            found.join(error)
    return tuple(groups)
