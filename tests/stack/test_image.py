"""The image: small in what it holds, pinned in what it is built from, and nobody's root."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.stack.files import ROOT

_TEXT: Final = (ROOT / "Dockerfile").read_text()
_STAGES: Final = re.split(r"^FROM ", _TEXT, flags=re.MULTILINE)[1:]
_FINAL: Final = _STAGES[-1]
_HADOLINT: Final = Path(sys.executable).with_name("hadolint")


def test_hadolint_has_nothing_to_say() -> None:
    """No rule of it is switched off."""
    done = subprocess.run(
        [_HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint" not in _TEXT


def test_bases_are_pinned_by_digest() -> None:
    """With the version beside it for people; both stages of Python are the same."""
    bases = [stage.split()[0] for stage in _STAGES]
    assert all(re.fullmatch(r"\w+:\d+\.\d+\.\d+[\w-]*@sha256:[0-9a-f]{64}", base) for base in bases)
    assert bases[-1] == bases[-2]


def test_it_does_not_run_as_root() -> None:
    """By number, and nothing after it changes that."""
    assert re.findall(r"^USER (.*)$", _FINAL, re.MULTILINE) == ["10001:10001"]
    after = _FINAL[_FINAL.index("USER ") :]
    assert not re.search(r"^(RUN|COPY|ADD)", after, re.MULTILINE)


def test_it_holds_no_tools_of_its_making() -> None:
    """The last stage installs nothing: it takes the environment whole."""
    assert "pip" not in _FINAL.replace("PYTHON", "")
    assert "apt-get" not in _TEXT
    assert re.findall(r"^COPY (.*)$", _FINAL, re.MULTILINE) == [
        "--from=build /opt/controlplane /opt/controlplane"
    ]


def test_every_package_is_installed_by_its_hash() -> None:
    """From the lock, and wheels only."""
    installs = re.findall(r"pip install ([^\n&]*)", _TEXT)
    assert installs[0] == "--require-hashes --only-binary :all: --requirement requirements/run.txt"
    assert installs[1:] == ["--no-deps --no-index wheels/*.whl"]
    assert "npm ci" in _STAGES[0]


def test_it_says_whether_it_is_alive() -> None:
    """By asking what needs no token, at the port that it exposes."""
    assert "HEALTHCHECK" in _FINAL
    assert "http://127.0.0.1:8080/health'" in _FINAL
    assert "EXPOSE 8080" in _FINAL


def test_the_console_has_its_scripts() -> None:
    """Those that `make scripts` takes, and no other."""
    wanted = re.search(
        r"^SCRIPTS := (.*?)\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL
    )
    assert wanted is not None
    assert set(re.findall(r"node_modules/\S+", wanted[1])) == set(
        re.findall(r"node_modules/\S+", _TEXT)
    )


def test_the_context_is_what_is_named() -> None:
    """All is left out but what is copied; so neither secrets nor data can come in."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", _TEXT, re.MULTILINE)
    assert "*" in lines
    assert kept == {path.split("/")[0] for paths in copied for path in paths.split()}
