"""What a stranger installs: complete, with what it imports, and with nothing else."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from controlplane.settings.settings import VARIABLES, Variable
from tests.architecture.defaults import default_of_variable
from tests.architecture.test_sources import PACKAGE, ROOT, modules, tracked

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
DASHBOARDS = ROOT / "dashboards"
_SHIPPED = ("controlplane", "dashboards", "alert_rules", "pyproject.toml")
# Needed, though nothing of ours imports it by name.
_IMPORTED_BY_OTHERS = {
    "aiosqlite": "SQLAlchemy's driver of SQLite",
    "asyncpg": "SQLAlchemy's driver of PostgreSQL",
    "httptools": "uvicorn's parser",
    "tzdata": "time zones where the system has none",
    "websockets": "uvicorn's WebSockets",
}
_IMPORT = re.compile(r"^\s*(?:import|from) (\w+)", re.MULTILINE)
_NOT_SHIPPED = {".md", ".toml"}


def declared() -> set[str]:
    """Return the names of the packages that pyproject.toml asks for."""
    return {_name(requirement) for requirement in PROJECT["project"]["dependencies"]}


def extras() -> set[str]:
    """Return the names of those that only who wants a feature installs."""
    groups = PROJECT["project"]["optional-dependencies"].items()
    return {_name(each) for name, group in groups if name != "dev" for each in group}


def locked(name: str) -> set[str]:
    """Return the names of the packages in a lock."""
    text = (ROOT / "requirements" / name).read_text()
    return {_name(line) for line in text.splitlines() if re.match(r"\w", line)}


def imported() -> set[str]:
    """Return the names that the program's modules import from elsewhere."""
    paths = [*modules(PACKAGE), *modules(DASHBOARDS)]
    names = {name for path in paths for name in _IMPORT.findall(path.read_text())}
    return names & set(packages_distributions()) - {"controlplane", "dashboards"}


def test_what_is_imported_is_asked_for() -> None:
    """No module relies on a package that only happens to be installed."""
    installed = packages_distributions()
    missing = {
        name: installed[name]
        for name in imported()
        if not {_name(distribution) for distribution in installed[name]} & (declared() | extras())
    }
    assert missing == {}


def test_what_is_asked_for_is_imported() -> None:
    """No package is installed for nothing."""
    installed = packages_distributions()
    used = {_name(distribution) for name in imported() for distribution in installed[name]}
    assert declared() - used - set(_IMPORTED_BY_OTHERS) == set()


def test_the_locks_hold_what_is_asked_for() -> None:
    """`make lock` was run; test tools stand in the development lock alone."""
    tools = {_name(each) for each in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert declared() <= locked("run.txt") <= locked("dev.txt")
    assert tools <= locked("dev.txt")
    assert not tools & locked("run.txt") - declared() - {"cryptography"}


def test_nothing_of_the_project_is_ignored() -> None:
    """What .gitignore names is made by tools: no source, no test's data."""
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard"]
    folders = ["alert_rules", "benchmarks", "controlplane", "dashboards", "docs", "grafana"]
    folders += ["requirements", "tests"]
    done = subprocess.run(
        [*command, *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    made = ("__pycache__", "controlplane/ui/static/vendor/")
    found = done.stdout.splitlines()
    assert [line for line in found if not any(mark in line for mark in made)] == []


def test_the_example_of_an_environment_names_every_variable() -> None:
    """.env.example has each variable with its meaning and its default, all of them off."""
    wanted = [
        line
        for variable in VARIABLES
        for line in (f"# {variable.meaning}", f"#{variable.name}={_example(variable)}")
    ]
    text = (ROOT / ".env.example").read_text()
    assert [line for line in text.partition("\n\n")[2].splitlines() if line] == wanted


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Give the wheel, built of what git would commit, beside the working copy."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked():
        target = source / path.relative_to(ROOT)
        if target.parts[len(source.parts)] in _SHIPPED:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (source / "README.md").touch()
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(built), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = built.iterdir()
    return zipfile.ZipFile(path)


def test_the_wheel_is_complete(wheel: zipfile.ZipFile) -> None:
    """Every module and every file of data that the program reads is in it, and no test."""
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if {PACKAGE, DASHBOARDS} & set(path.parents) and path.suffix not in _NOT_SHIPPED
    }
    held = {name for name in wheel.namelist() if name.startswith(("controlplane/", "dashboards/"))}
    assert held == wanted
    assert {"controlplane/promql/grammar.lark", "controlplane/py.typed"} <= held
    assert "dashboards/py.typed" in held


def test_the_wheel_brings_the_rules(wheel: zipfile.ZipFile) -> None:
    """The files of alert_rules/ are installed below share/, unchanged."""
    held = {
        Path(name).name: wheel.read(name)
        for name in wheel.namelist()
        if ".data/data/share/controlplane/alert_rules/" in name
    }
    shipped = (ROOT / "alert_rules").glob("*.rules.yml")
    assert held == {path.name: path.read_bytes() for path in shipped}


def test_what_is_in_the_wheel_works_elsewhere(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked far from the working copy it parses, checks and knows its schema."""
    wheel.extractall(tmp_path / "site")
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'rate(a[5m]) > 1'}]}]\n"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        "import controlplane; assert 'site' in controlplane.__file__;"
        "from controlplane.storage import migrate; assert migrate.head();"
        "from controlplane.cli.main import main; sys.exit(main(['check', 'rules', 'rules.yml']))"
    )
    command = [sys.executable, "-I", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 rules found" in done.stdout


def _example(variable: Variable) -> str:
    literal = re.fullmatch("`([^`]*)`", default_of_variable(variable))
    return literal[1] if literal else ""


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()
