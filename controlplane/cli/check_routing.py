"""`controlplane check routing FILE`: routes, receivers and rules by which nothing ever happens."""

import argparse
import sys
from pathlib import Path

from controlplane.config.loader import load
from controlplane.config.routing_doubts import routing_doubts
from controlplane.errors import ConfigError, Problem
from controlplane.routing.tree import build_tree


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument("file", metavar="FILE", type=Path)


def run(args: argparse.Namespace) -> int:
    """Check the file; 0 when all of it counts, 1 with every problem as file:line: reason."""
    try:
        config = load(args.file)
    except ConfigError as error:
        return _refused(args.file, error.problems)
    doubts = routing_doubts(config)
    if doubts:
        return _refused(args.file, doubts)
    routes = sum(1 for _ in build_tree(config.route).walk())
    print(
        f"{args.file}: good: {_count(routes, 'route')}, {_count(len(config.receivers), 'receiver')}"
    )
    return 0


def _refused(file: Path, problems: "tuple[Problem, ...] | list[Problem]") -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{file}: {_count(len(problems), 'problem')}", file=sys.stderr)
    return 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
