"""Parse the arguments and hand them to the subcommand."""

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from controlplane import __version__
from controlplane.errors import ControlPlaneError

# Path of the subcommand, its module, what it does. A module has
# `arguments(parser)` and `run(args) -> int`, and is imported when it is named.
COMMANDS: Final = (
    (("demo",), "demo", "show the whole product on sample services"),
    (("serve",), "serve", "run the service"),
    (("migrate",), "migrate", "bring a database to this version's schema"),
    (("query",), "query", "evaluate a PromQL expression at a running service"),
    (("explain",), "explain", "say why somebody was told of an alert, or was not"),
    (
        ("autoscale", "replay"),
        "autoscale_replay",
        "tell what an autoscaling policy would have done",
    ),
    (("check", "config"), "check_config", "check a configuration file"),
    (("check", "rules"), "check_rules", "check rule files"),
    (("check", "routing"), "check_routing", "find routes and receivers that are never used"),
    (("grafana", "sync"), "grafana", "bring the dashboards of a Grafana to this version's"),
    (("test", "rules"), "test_rules", "run unit tests of rules, in promtool's format"),
    (("test", "routes"), "test_routes", "tell which receivers an alert goes to, and why"),
    (("test", "receiver"), "test_receiver", "tell a receiver of a made-up alert, and its end"),
    (("test", "promql"), "test_promql", "run PromQL conformance tests"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 good, 1 what was asked failed, 2 usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words).parse_args(words)
    try:
        code: int = _command(args.module).run(args)
    except ControlPlaneError as error:
        print(f"controlplane: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="controlplane", description="Probe, evaluate, notify.")
    parser.add_argument("--version", action="version", version=f"controlplane {__version__}")
    top = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for path, module, summary in COMMANDS:
        parent = top
        if len(path) == 2:
            group = path[0]
            if group not in groups:
                groups[group] = top.add_parser(group).add_subparsers(required=True)
            parent = groups[group]
        child = parent.add_parser(path[-1], help=summary, description=summary)
        child.set_defaults(module=module)
        if tuple(words[: len(path)]) == path:
            _command(module).arguments(child)
    return parser


def _command(name: str) -> ModuleType:
    """Import a command without collecting garbage: there is none, and looking costs a tenth."""
    gc.disable()
    try:
        return importlib.import_module(f"controlplane.cli.{name}")
    finally:
        gc.enable()
