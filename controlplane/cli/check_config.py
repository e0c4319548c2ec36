"""`controlplane check config FILE`: everything wrong with a file, or what it says in numbers."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from controlplane.config.config import Config
from controlplane.config.doubts import doubts
from controlplane.config.loader import load
from controlplane.config.render import render
from controlplane.config.replicas import own_database, own_samples
from controlplane.errors import ConfigError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--show", action="store_true", help="print the configuration in force, secrets struck out"
    )


def run(args: argparse.Namespace) -> int:
    """Check the file; 0 when it can be used, 1 with every problem as file:line: reason."""
    try:
        config = load(args.file)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"{args.file}: {_count(len(error.problems), 'problem')}", file=sys.stderr)
        return 1
    if reason := own_database(config, sqlite=config.storage.url is None):
        print(f"{args.file}: {reason}", file=sys.stderr)
        return 1
    if reason := own_samples(config):
        print(f"warning: {reason}; only --role notifier starts", file=sys.stderr)
    for warning in doubts(config):
        print(f"warning: {warning}", file=sys.stderr)
    if args.show:
        print(render(config), end="")
    else:
        print(f"{args.file}: good: {', '.join(_summary(config))}")
    return 0


def _summary(config: Config) -> Iterator[str]:
    rules = sum(len(group.rules) for group in config.groups)
    yield _count(len(config.targets), "target")
    yield _count(len(config.modules), "module")
    yield _count(len(config.scrape_configs), "scrape config")
    yield f"{_count(rules, 'rule')} in {_count(len(config.rule_files), 'file')}"
    yield _count(len(config.receivers), "receiver")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
