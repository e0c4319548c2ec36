"""`controlplane test rules FILE...`: unit tests of rules, in promtool's format."""

import argparse
import re
import sys
from pathlib import Path

from controlplane.errors import ConfigError
from controlplane.rules.testing.files import load_tests
from controlplane.rules.testing.running import run_file
from controlplane.telemetry.logs import configure_logs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument(
        "--run",
        action="append",
        type=re.compile,
        metavar="REGEX",
        help="run only the tests whose name matches; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    """Run every file; 0 when all tests passed, 1 with what differs."""
    configure_logs(level="WARNING", json=False)
    return max(_test(path, args.run or []) for path in args.files)


def _test(path: Path, wanted: list[re.Pattern[str]]) -> int:
    print(f"Unit Testing:  {path}")
    try:
        file = load_tests(path)
        for pattern in file.unmatched:
            print(f"  WARNING: no file matches {pattern}", file=sys.stderr)
        failures = [
            (outcome.name, failure)
            for outcome in run_file(file, lambda name: _matches(name, wanted))
            for failure in outcome.failures
        ]
    except ConfigError as error:
        failures = [("", str(problem)) for problem in error.problems]
    if not failures:
        print("  SUCCESS\n")
        return 0
    print("  FAILED:", file=sys.stderr)
    for name, failure in failures:
        print(f"    {f'name: {name}, ' if name else ''}{failure}", file=sys.stderr)
    return 1


def _matches(name: str, wanted: list[re.Pattern[str]]) -> bool:
    return not wanted or any(pattern.search(name) for pattern in wanted)
