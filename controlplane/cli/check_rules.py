"""`controlplane check rules FILE...`: whether rule files can be used, as promtool says it."""

import argparse
import sys
from pathlib import Path

from controlplane.errors import ConfigError
from controlplane.rules.load import load_file


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)


def run(args: argparse.Namespace) -> int:
    """Check every file; 0 when all can be used, 1 with each problem as file:line: reason."""
    return max(_check(path) for path in args.files)


def _check(path: Path) -> int:
    print(f"Checking {path}")
    try:
        groups = load_file(path)
    except ConfigError as error:
        print("  FAILED:", file=sys.stderr)
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    print(f"  SUCCESS: {sum(len(group.rules) for group in groups)} rules found\n")
    return 0
