"""What README.md and docs/ name exists: files, modules, functions, links, commands, alerts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from controlplane.cli.main import COMMANDS
from controlplane.config.loader import load

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "controlplane"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FOLDERS = ("controlplane/", "alert_rules/", "docs/", "tests/", "benchmarks/", "requirements/")
# `package.module.Name` or `package.module.Name.method`, without the leading `controlplane`.
_DOTTED = re.compile(r"[a-z_]+(\.[a-z_]+)*(\.[A-Z]\w+)?(\.\w+)?\Z")
_COMMAND = re.compile(r"(?:\.venv/bin/)?controlplane ([a-z]+)(?: ([a-z]+))?")
_MAKE = re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE)


def ids(path: Path) -> str:
    """Return a page's name for a test."""
    return path.relative_to(ROOT).as_posix()


def code(text: str) -> Iterator[str]:
    """Iterate over everything that is set as code: within lines, and lines of blocks."""
    yield from _CODE.findall(_BLOCK.sub("", text))
    for language, block in _BLOCK.findall(text):
        if not language:
            yield from block.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link is a file, and its fragment a heading there."""
    broken = []
    for link in _LINK.findall(_BLOCK.sub("", page.read_text())):
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link:
            continue
        if not target.exists() or (fragment and fragment not in headings(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_files_exist(page: Path) -> None:
    """A path of the repository that stands in a page is there."""
    named = [part for text in code(page.read_text()) for part in text.split()]
    paths = [part for part in named if part.startswith(_FOLDERS)]
    assert [path for path in paths if not any(ROOT.glob(path.rstrip("/.,")))] == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_names_of_the_program_exist(page: Path) -> None:
    """A dotted name that begins with one of our packages is a module, or something in one."""
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    dotted = [
        text
        for text in _CODE.findall(_BLOCK.sub("", page.read_text()))
        if text.split(".")[0] in packages and "." in text and _DOTTED.match(text)
    ]
    # Of the file, or of an answer, not of the program.
    keys = {
        "storage.url",
        "storage.retention",
        "cluster.url",
        "cluster.lease",
        "storage.retention.ledger",
        "targets.name",
        "config.original",
    }
    assert [text for text in dotted if text not in keys and not exists(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist(page: Path) -> None:
    """Subcommands and make targets that a page names are there."""
    commands = {path for path, _, _ in COMMANDS}
    firsts = {path[0] for path in commands if len(path) == 1}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = list(code(page.read_text()))
    unknown = [
        match[0]
        for line in lines
        if (match := _COMMAND.match(line))
        and match[1] not in firsts
        and (match[1], match[2]) not in commands
    ]
    unknown += [name for line in lines for name in _MAKE.findall(line) if name not in targets]
    assert unknown == []


def test_every_shipped_alert_has_a_runbook() -> None:
    """An alert of `alert_rules/` has a page that says what to do, and no page has no alert."""
    alerts = {
        rule["alert"]
        for path in ROOT.glob("alert_rules/*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    pages = {path.stem: path.read_text() for path in ROOT.glob("docs/runbooks/*.md")}
    assert pages.keys() == alerts
    for name, text in pages.items():
        assert text.startswith(f"# {name}\n")
        assert "\n## How to look\n" in text
        assert "\n## What to do\n" in text


def test_every_line_of_the_log_that_is_told_is_written() -> None:
    """An event that `docs/logs.md` names stands in the code as it is written there."""
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/logs.md").read_text(), re.MULTILINE)
    events = [event for row in rows for event in _CODE.findall(row)]
    written = {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(events) > 30
    assert [event for event in events if event not in written] == []


def test_every_decision_is_listed() -> None:
    """`docs/adr/README.md` has each decision, and each has context, decision and consequences."""
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text())
    decisions = sorted(ROOT.glob("docs/adr/0*.md"))
    assert listed == [path.name for path in decisions]
    for path in decisions:
        assert re.findall(r"^## (\w+)", path.read_text(), re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_the_configuration_of_the_tour_is_good(tmp_path: Path) -> None:
    """The first configuration in the README loads, with the shipped rules."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    text = next(block for language, block in blocks if language == "yaml")
    (tmp_path / "alert_rules").symlink_to(ROOT / "alert_rules")
    file = tmp_path / "controlplane.yml"
    file.write_text(text)
    config = load(file)
    assert [target.name for target in config.targets] == ["shop"]
    assert [receiver.name for receiver in config.receivers] == ["oncall", "nobody"]


def headings(page: Path) -> set[str]:
    """Return the fragments that a page's headings have."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in found}


def exists(dotted: str) -> bool:
    """Tell whether a name below `controlplane` is a module, or is defined in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        stem = PACKAGE.joinpath(*parts[:length])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return defines(ast.parse(path.read_text()).body, parts[length:])
    return False


def defines(body: list[ast.stmt], names: list[str]) -> bool:
    """Tell whether statements define the first name, and it the next, and so on."""
    if not names:
        return True
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name == names[0]:
                return defines(node.body, names[1:])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == names[0] for each in targets):
                return len(names) == 1
    return False
