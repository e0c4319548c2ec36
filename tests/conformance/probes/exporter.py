"""blackbox_exporter as a process, asked over HTTP."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

from controlplane.clock import SystemClock

BINARY: Final = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")


@contextmanager
def exporter(directory: Path, modules: Mapping[str, Any]) -> Iterator[str]:
    """Run it with modules in its own syntax; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = directory / "blackbox.yml"
    file.write_text(json.dumps({"modules": modules}))
    command = [str(BINARY), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/-/healthy")
        yield url
    finally:
        running.terminate()
        running.wait()


def _wait_for(url: str) -> None:
    clock, pause = SystemClock(), Event()
    deadline = clock.monotonic() + 20
    while clock.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            pause.wait(0.05)
        else:
            return
    raise TimeoutError("blackbox_exporter did not start")


def ask(url: str, module: str, target: str) -> str:
    """Return the page of one probe."""
    query = urllib.parse.urlencode({"module": module, "target": target})
    with urllib.request.urlopen(f"{url}/probe?{query}", timeout=10) as answer:
        page: bytes = answer.read()
    return page.decode()


def samples(page: str) -> dict[str, float]:
    """Return the samples of a page by name and labels, labels in order of name."""
    found = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[_ordered(name)] = float(value)
    return found


def _ordered(series: str) -> str:
    name, brace, labels = series.rstrip("}").partition("{")
    if not brace:
        return name
    pairs = sorted(pair.removesuffix('"') + '"' for pair in labels.split('",'))
    return name + "{" + ",".join(pairs) + "}"
