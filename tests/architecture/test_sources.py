"""What every file of the project keeps to."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "controlplane"
_VAGUE = {"utils", "helpers", "common", "core", "managers", "misc", "base"}
# Said in pieces, so that this file does not name them itself.
_REGISTRIES = tuple(f"{host}.org" for host in ("pypi", "pythonhosted", "npmjs"))
_MACHINE_PATHS = ("/wor" + "k/", "/roo" + "t/", "/hom" + "e/")
_UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X:", "NotImplemented" + "Error")
_TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".sh", ".cfg", ".json", ".tmpl", ""}


def tracked() -> list[Path]:
    """Return the files that belong to the project: those that git would commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = (ROOT / line for line in done.stdout.splitlines())
    return sorted(path for path in paths if path.is_file())


def files() -> list[Path]:
    """Return those of the project's files that hold text."""
    return [path for path in tracked() if path.suffix in _TEXT]


def modules(directory: Path) -> Iterator[Path]:
    """Iterate over the Python files below a directory."""
    return (path for path in files() if path.suffix == ".py" and directory in path.parents)


def packages() -> list[str]:
    """Return the packages of the service by their folder; migrations are scripts, no package."""
    folders = {path.parent.relative_to(ROOT).as_posix() for path in modules(PACKAGE)}
    return sorted(folder for folder in folders if "migrations" not in folder)


def mentions(words: tuple[str, ...]) -> list[str]:
    """Return every place in the project's files where one of the words stands."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for word in words
        if word in line
    ]


@pytest.mark.parametrize("package", packages())
def test_a_package_says_what_it_is(package: str) -> None:
    """`__init__.py` opens with a docstring; that of a top-level package has 3 to 6 lines.

    The client is one file for others to read: its docstring is its manual.
    """
    path = ROOT / package / "__init__.py"
    assert path.exists(), "a folder of modules is a package"
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, "it has no docstring"
    if (ROOT / package).parent == PACKAGE and package != "controlplane/client":
        assert 3 <= len([line for line in text.splitlines() if line]) <= 6


def test_names_say_something() -> None:
    """No module is named for nothing in particular."""
    named = {path.relative_to(PACKAGE) for path in modules(PACKAGE)}
    assert [path for path in named if {path.stem, *path.parent.parts} & _VAGUE] == []


def test_every_module_says_what_it_is() -> None:
    """A module opens with a docstring, an empty `__init__.py` of tests aside."""
    silent = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix == ".py" and path.read_text().strip()[:3] not in ("", '"""')
    ]
    assert silent == []


def test_every_test_says_what_it_shows() -> None:
    """A test function has a docstring that tells the behaviour."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_registry_is_named() -> None:
    """Where packages come from is the installation's affair."""
    assert mentions(_REGISTRIES) == []


def test_no_path_of_a_machine_is_named() -> None:
    """Nothing depends on where somebody's working copy or home is."""
    named = [place for place in mentions(_MACHINE_PATHS) if not place.startswith("tests/")]
    assert named == []


def test_nothing_is_left_for_later() -> None:
    """No file holds a note to finish it."""
    assert mentions(_UNFINISHED) == []
