"""How fast 20 typical rules are evaluated, beside a real Prometheus.

    python -m benchmarks rules_speed [--series 100000] [--minutes 20] [--rounds 4]

Both programs run whole, each on one core of its own, and get the same samples
by remote write, a sample of each series every 15 s up to now. Then both are
given the rule file: the first evaluation is cold, the median of the next ones
warm. Each tells the time of every rule itself (`evaluationTime` of
`/api/v1/rules`).
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cramjam
import numpy as np

from benchmarks.peers import free_port, pinned, resident_megabytes, wait_for_http
from benchmarks.table import print_table
from controlplane.ingest.wire import message_class
from controlplane.model.samples import Times, Values

INTERVAL = 15_000
SERIES_A_REQUEST = 5000
# Two tags, a size, a double, and six bytes of milliseconds.
_SAMPLE_BYTES = 18
EVALUATION = 15
LONGEST_FILLING = 1_800_000
BOUNDS = ("0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf")

_ERRORS = 'rate(http_requests_total{code=~"5.."}[5m])'
_ALL = "rate(http_requests_total[5m])"
_BUCKETS = "rate(http_request_duration_seconds_bucket[5m])"
EXPRESSIONS = {
    "job:requests:rate5m": f"sum by (job) ({_ALL})",
    "instance:requests:rate5m": f"sum by (job, instance) ({_ALL})",
    "code:requests:rate5m": f"sum by (code) ({_ALL})",
    "job:requests:rate15m": "sum by (job) (rate(http_requests_total[15m]))",
    "job:requests:increase10m": "sum by (job) (increase(http_requests_total[10m]))",
    "job:errors:ratio": f"sum by (job) ({_ERRORS}) / sum by (job) ({_ALL})",
    "job:errors:high": f"sum by (job) ({_ERRORS}) / sum by (job) ({_ALL}) > 0.05",
    "job:latency:p99": f"histogram_quantile(0.99, sum by (job, le) ({_BUCKETS}))",
    "instance:latency:p90": f"histogram_quantile(0.9, sum by (instance, le) ({_BUCKETS}))",
    "job:latency:slow": (
        '1 - sum by (job) (rate(http_request_duration_seconds_bucket{le="0.5"}[5m]))'
        ' / sum by (job) (rate(http_request_duration_seconds_bucket{le="+Inf"}[5m]))'
    ),
    "fs:full:soon": "predict_linear(node_filesystem_avail_bytes[10m], 4 * 3600) < 0",
    "fs:avail:min": "min by (instance) (node_filesystem_avail_bytes)",
    "fs:avail:avg": "avg by (mountpoint) (avg_over_time(node_filesystem_avail_bytes[10m]))",
    "fs:change": "topk(10, abs(delta(node_filesystem_avail_bytes[5m])))",
    "up:absent": 'absent(up{job="nothing"})',
    "up:ratio": "avg by (job) (up)",
    "up:flapping": "changes(up[10m]) > 2",
    "up:down": "count by (job) (up == 0)",
    "top:requests": f"topk(10, sum by (instance) ({_ALL}))",
    "version:requests": (
        "sum by (version) (sum by (instance) (rate(http_requests_total[5m]))"
        " * on (instance) group_left (version) node_info)"
    ),
}

Pairs = Mapping[str, str]


@dataclass
class Program:
    """One of the two, with what it told of its evaluations, by rule."""

    name: str
    process: "subprocess.Popen[bytes]"
    api: str
    configuration: Path
    seconds: dict[str, list[float]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks rules_speed", description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4, help="warm evaluations")
    given = parser.parse_args(arguments)
    binary = shutil.which("prometheus")
    if binary is None:
        print("prometheus is not installed: nothing to compare with")
        return 1
    with tempfile.TemporaryDirectory() as directory:
        programs = start(binary, Path(directory))
        try:
            run(programs, Path(directory), given.series, given.minutes, given.rounds)
        finally:
            for program in programs:
                program.process.kill()
                program.process.wait()
    return 0


def start(binary: str, directory: Path) -> list[Program]:
    """Start both without rules, each on a core of its own where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = (f"127.0.0.1:{free_port()}" for _ in range(2))
    files = [directory / "controlplane.yml", directory / "prometheus.yml"]
    for file in files:
        file.write_text("{}")
    program = [sys.executable, "-m", "controlplane", "serve", "--config", str(files[0])]
    commands = [
        [*program, "--listen", ours, "--data-dir", str(directory / "data")],
        [
            binary,
            f"--config.file={files[1]}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address={theirs}",
            "--web.enable-remote-write-receiver",
        ],
    ]
    started = [
        pinned(command, {core}, directory / f"{core}.{number}.log")
        for number, (command, core) in enumerate(zip(commands, (cores[-1], cores[0]), strict=True))
    ]
    programs = [
        Program("controlplane", started[0], f"http://{ours}/prometheus", files[0]),
        Program("Prometheus", started[1], f"http://{theirs}", files[1]),
    ]
    for each in programs:
        wait_for_http(f"{each.api}/-/ready")
    return programs


def run(
    programs: Sequence[Program], directory: Path, series: int, minutes: int, rounds: int
) -> None:
    now = int(time.time() * 1000) // INTERVAL * INTERVAL
    times = np.arange(now - minutes * 60_000, now + LONGEST_FILLING, INTERVAL)
    spent = dict.fromkeys((each.name for each in programs), 0.0)
    requests = -(-series // SERIES_A_REQUEST)
    sent = 0
    for body in bodies(series, times):
        # Filling takes minutes: go on until the samples are those of now.
        if sent % requests == 0 and times[sent // requests] > time.time() * 1000:
            break
        sent += 1
        for each in programs:
            begin = time.perf_counter()
            post(f"{each.api}/api/v1/write", body)
            spent[each.name] += time.perf_counter() - begin
    for each in programs:
        taken = series * (sent / requests) / spent[each.name]
        print(f"{each.name}: {taken:,.0f} samples/s by remote write, one request at a time")
    rules = [{"record": name, "expr": expr} for name, expr in EXPRESSIONS.items()]
    group = {"name": "typical", "interval": f"{EVALUATION}s", "rules": rules}
    (directory / "typical.rules.yml").write_text(json.dumps({"groups": [group]}))
    for each in programs:
        each.configuration.write_text(json.dumps({"rule_files": ["typical.rules.yml"]}))
        each.process.send_signal(signal.SIGHUP)
    listen(programs, rounds)
    report(programs, series)


def listen(programs: Sequence[Program], rounds: int) -> None:
    """Note the time of every rule at each evaluation, until there are enough of them."""
    # Who needs longer than the interval misses slots.
    until = time.monotonic() + 4 * (rounds + 3) * EVALUATION
    while late := [each.name for each in programs if _fewest(each) <= rounds]:
        if time.monotonic() > until:
            raise TimeoutError(f"rules are not evaluated by {' and '.join(late)}")
        time.sleep(1)
        for each in programs:
            for rule in evaluated(each):
                name, at = rule["name"], rule["lastEvaluation"]
                if rule.get("lastError", ""):
                    raise RuntimeError(f"{each.name}: {name}: {rule['lastError']}")
                if not at.startswith("0001") and each.last.get(name) != at:
                    each.last[name] = at
                    each.seconds.setdefault(name, []).append(rule["evaluationTime"])


def _fewest(program: Program) -> int:
    """Return how often the rule that was evaluated least often was."""
    return min(len(program.seconds.get(name, ())) for name in EXPRESSIONS)


def evaluated(program: Program) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{program.api}/api/v1/rules", timeout=60) as answer:
        groups = json.load(answer)["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def report(programs: Sequence[Program], series: int) -> None:
    """Print the times in milliseconds, and how many times faster ours are."""
    ours, theirs = programs
    rows = []
    cold, warm = [0.0, 0.0], [0.0, 0.0]
    for name in EXPRESSIONS:
        first = [each.seconds[name][0] for each in (ours, theirs)]
        later = [statistics.median(each.seconds[name][1:]) for each in (ours, theirs)]
        cold = [a + b for a, b in zip(cold, first, strict=True)]
        warm = [a + b for a, b in zip(warm, later, strict=True)]
        rows.append([name, *_compared(first), *_compared(later)])
    rows.append(["**all 20**", *_compared(cold), *_compared(warm)])
    print(f"\n{series:,} series, milliseconds a rule\n")
    columns = [
        f"{kind} {what}" for kind in ("cold", "warm") for what in ("ours", "theirs", "ratio")
    ]
    print_table(["rule", *columns], rows)
    for each in programs:
        print(f"\n{each.name}: {resident_megabytes(each.process.pid):.0f} MB resident")


def _compared(seconds: Sequence[float]) -> list[str]:
    ours, theirs = seconds
    return [f"{ours * 1e3:.2f}", f"{theirs * 1e3:.2f}", f"{theirs / max(ours, 1e-9):.1f}"]


def bodies(series: int, times: Times) -> Iterator[bytes]:
    """Yield requests of remote write tick after tick, as scrapes bring samples about."""
    heads, courses = [], []
    for labels, values in samples(series, len(times), np.random.default_rng(1)):
        heads.append(_head(labels))
        courses.append(values)
    columns = np.array(courses)
    for tick, time_of in enumerate(times.tolist()):
        encoded = _encoded(time_of, columns[:, tick])
        for begin in range(0, len(heads), SERIES_A_REQUEST):
            chosen = slice(begin, begin + SERIES_A_REQUEST)
            pairs = zip(heads[chosen], encoded[chosen], strict=True)
            yield bytes(
                cramjam.snappy.compress_raw(b"".join(part for pair in pairs for part in pair))
            )


def samples(series: int, count: int, random: np.random.Generator) -> Iterator[tuple[Pairs, Values]]:
    """Yield two fifths requests, two fifths buckets, then file systems, `up` and `node_info`."""
    for n in range(series * 2 // 5):
        code = ("200", "200", "200", "404", "500")[n % 5]
        instance = f"i{n // 20}"
        labels = {"__name__": "http_requests_total", "code": code, "path": f"/{n % 20}"}
        yield (
            {**labels, **_target(instance)},
            np.cumsum(random.integers(0, 100, count)).astype(np.float64),
        )
    for n in range(series * 2 // 5 // len(BOUNDS)):
        counts = np.cumsum(random.integers(0, 20, (count, len(BOUNDS))), axis=0).cumsum(axis=1)
        for place, bound in enumerate(BOUNDS):
            labels = {"__name__": "http_request_duration_seconds_bucket", "le": bound}
            yield {**labels, **_target(f"i{n}")}, counts[:, place].astype(np.float64)
    for n in range(series // 10):
        labels = {"__name__": "node_filesystem_avail_bytes", "mountpoint": f"/m{n % 5}"}
        course = np.cumsum(random.normal(-1e5, 1e6, count)).astype(np.float64) + 1e10
        yield {**labels, **_target(f"i{n // 5}")}, course
    for n in range(series // 20):
        yield (
            {"__name__": "up", **_target(f"i{n}")},
            (random.random(count) > 0.01).astype(np.float64),
        )
        info = {"__name__": "node_info", "version": f"v{n % 7}"}
        yield {**info, **_target(f"i{n}")}, np.ones(count)


def _target(instance: str) -> Pairs:
    return {"instance": instance, "job": f"job{int(instance[1:]) % 10}"}


def _head(labels: Pairs) -> bytes:
    """Return what stands before the one sample of a TimeSeries: its tag, its size, its labels."""
    label = message_class("Label")
    encoded = b"".join(
        _field(1, label(name=name, value=value).SerializeToString())
        for name, value in sorted(labels.items())
    )
    whole = _field(1, encoded + bytes(_SAMPLE_BYTES))
    return whole[:-_SAMPLE_BYTES]


def _encoded(at: int, values: Values) -> list[bytes]:
    """Return a sample of each series as a field of its TimeSeries; zeros are written out."""
    block = np.empty((len(values), _SAMPLE_BYTES), dtype=np.uint8)
    block[:, :3] = (0x12, 0x10, 0x09)
    block[:, 3:11] = np.ascontiguousarray(values).astype("<f8")[:, None].view(np.uint8)
    block[:, 11] = 0x10
    septets = (at >> (7 * np.arange(6))) & 0x7F
    septets[:5] |= 0x80
    block[:, 12:] = septets
    data = block.tobytes()
    return [data[begin : begin + _SAMPLE_BYTES] for begin in range(0, len(data), _SAMPLE_BYTES)]


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def post(url: str, body: bytes) -> None:
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
