"""`controlplane demo`: the whole product on sample services."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from controlplane.clock import SystemClock
from controlplane.demo.elsewhere import LOOPBACK, run_services
from controlplane.demo.run import Arguments, run_demo
from controlplane.demo.screen import Screen
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.duration import parse_duration
from controlplane.settings.parsing import listen, url
from controlplane.settings.settings import DEFAULT_LISTEN
from controlplane.telemetry.logs import configure_logs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--for",
        dest="duration",
        metavar="DURATION",
        help="end when all stories were seen, at the latest after this (90s); "
        "the exit code is 1 when one was not",
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=f"default {DEFAULT_LISTEN}, or a free port when that is taken",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where files are kept; else a fresh one")
    parser.add_argument(
        "--at",
        metavar="URL",
        help="the sample services alone, registered at a control plane that runs there",
    )
    parser.add_argument(
        "--name",
        metavar="HOST",
        help=f"with --at: the name by which they are reached; default {LOOPBACK}",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo. Raises InvalidInput, Conflict, Unavailable."""
    if args.at is not None:
        return _elsewhere(args)
    if args.name is not None:
        raise InvalidInput("--name goes with --at")
    seconds = None if args.duration is None else parse_duration(args.duration) / 1000
    with tempfile.TemporaryDirectory(prefix="controlplane-demo-") as temporary:
        directory = Path(args.data_dir or temporary)
        directory.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        screen = Screen(lambda: time.perf_counter() - begin)
        try:
            log = (directory / "demo.log").open("w", encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"{directory}: {error.strerror}") from None
        with log, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            configure_logs(stream=log)
            address = listen(args.listen) if args.listen else None
            asked = Arguments(address, directory, seconds)
            seen = runner.run(run_demo(asked, screen))
    return 0 if seen or seconds is None else 1


def _elsewhere(args: argparse.Namespace) -> int:
    configure_logs()
    place, name = url(args.at), args.name or LOOPBACK
    duration = None if args.duration is None else parse_duration(args.duration) / 1000
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_services(place, name, SystemClock(), duration))
    return 0
