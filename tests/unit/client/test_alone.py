"""The client is one file that needs nothing of ours, and a distribution of its own."""

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from controlplane import client

FILE = Path(client.__file__)
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import controlplane_client
assert not any(name.split(".")[0] == "controlplane" for name in sys.modules)
registration = controlplane_client.register("a", "http://a/", base_url="nonsense")
assert not registration.wait_until_registered(0.05)
registration.close()
print("alone")
"""


def test_it_works_without_anything_else(tmp_path: Path) -> None:
    """Copied elsewhere, without site-packages, it imports and runs."""
    shutil.copy(FILE, tmp_path / "controlplane_client.py")
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout == "alone\n", done.stderr


def test_a_service_ends_when_it_wants_to(tmp_path: Path) -> None:
    """A registration that never succeeds keeps no process alive, at its exit neither."""
    script = (
        "from controlplane import client\n"
        "client.register('a', 'http://a/', base_url='http://127.0.0.1:9', deregister_on_exit=True)"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=20, check=False, cwd=Path.cwd())
    assert done.returncode == 0


def test_its_wheel_holds_one_module(tmp_path: Path) -> None:
    """The project file beside it builds `controlplane_client`, typed, and no more."""
    source = tmp_path / "source"
    shutil.copytree(FILE.parent, source, ignore=shutil.ignore_patterns("__pycache__", "build"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*build, "--no-build-isolation", "--no-index", "-w", str(tmp_path), str(source)],
        check=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("controlplane_client-*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(names) == ["controlplane_client/__init__.py", "controlplane_client/py.typed"]


def test_it_is_written_for_older_pythons_too() -> None:
    """Services choose their own Python: the file parses as 3.9."""
    ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 9))
