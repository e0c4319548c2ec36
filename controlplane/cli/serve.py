"""`controlplane serve`: the service for real."""

import argparse
import asyncio
import os

import uvloop

from controlplane.app.lifecycle import serve
from controlplane.config.config import default_config
from controlplane.config.loader import load
from controlplane.settings.settings import read_settings
from controlplane.telemetry.logs import configure_logs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes; each wins over its variable of the environment."""
    parser.add_argument("--config", metavar="FILE", help="the configuration file")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:8080")
    parser.add_argument("--data-dir", metavar="DIR", help="samples and the database; default data")
    parser.add_argument(
        "--role",
        metavar="ROLE,...",
        help="what this replica does: api, prober, evaluator, notifier; default all",
    )
    parser.add_argument("--external-url", metavar="URL", help="the base of every link")


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop. Raises InvalidInput, Conflict, Forbidden, Unavailable."""
    given = {
        "config": args.config,
        "listen": args.listen,
        "data_dir": args.data_dir,
        "external": args.external_url,
        "roles": args.role,
    }
    settings = read_settings(os.environ, given)
    configure_logs(level=settings.log_level, json=settings.log_format == "json")
    config = load(settings.config) if settings.config else default_config()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, config))
    return 0
