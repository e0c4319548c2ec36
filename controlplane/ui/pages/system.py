"""The system: how the process fares, what it keeps, and the configuration in force."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response

from controlplane import __version__
from controlplane.api.health import run_checks
from controlplane.config.standing import Standing
from controlplane.errors import ConfigError, InvalidInput, Unavailable
from controlplane.telemetry.logs import get_logger
from controlplane.ui.console import Page
from controlplane.ui.drawing import sparkline
from controlplane.ui.forms import read_form
from controlplane.ui.pages.system_view import (
    Measure,
    Values,
    bytes_in,
    loops,
    measures,
    own_values,
    size,
)

log = get_logger(__name__)

PATH: Final = "/system"
_VALUES: Final = (
    "controlplane_task_up",
    "controlplane_task_restarts_total",
    "controlplane_tsdb_wal_segments",
    "controlplane_tsdb_blocks",
    "controlplane_tsdb_block_bytes",
    "controlplane_tsdb_queue_samples",
    "process_open_fds",
    "process_max_fds",
    "controlplane_redis_up",
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is read off the event loop, at once."""

    standing: Standing
    configuration: str
    measures: list[Measure]
    values: Values
    log_bytes: int


async def show(page: Page) -> Response:
    """Show how the process fares."""
    look = await page.on.queries.run(lambda: _look(page))
    flags, replicas = page.on.flags, page.on.replicas()
    context = {
        "verdicts": await run_checks(page.on.checks),
        "loops": loops(look.values),
        "measures": [(each, sparkline(each.course, 120, 26)) for each in look.measures],
        "titles": _titles(page),
        "facts": _facts(page, look),
        "standing": look.standing,
        "configuration": look.configuration,
        "flags": sorted(flags.items()),
        "started": page.on.started,
        "uptime": page.now - page.on.started,
        "replica": flags["replica"],
        "replicas": replicas,
        "configurations": len({each.config_digest for each in replicas if each.config_digest}),
        "redis_away": 0 in look.values["controlplane_redis_up"].values(),
        "version": __version__,
    }
    return page.render("system.html", context)


async def act(page: Page) -> Response:
    """Load the configuration file anew; why a bad one is refused stands on the page then."""
    form = await read_form(page.request)
    if form.text("do") != "reload":
        raise InvalidInput(page.say("There is no such action."))
    log.info("reload asked for", by=page.actor)
    try:
        await page.on.reload()
    except ConfigError:
        return page.redirect(f"{PATH}#configuration", page.say("The file was refused."))
    except (InvalidInput, Unavailable) as error:
        return page.redirect(f"{PATH}#configuration", str(error))
    return page.redirect(f"{PATH}#configuration", page.say("The file is in force."))


def _look(page: Page) -> Look:
    flags = page.on.flags
    return Look(
        standing=page.on.standing(),
        configuration=page.on.configuration(),
        measures=measures(page.on.engine, flags["replica"], page.now),
        values=own_values(page.on.registry, _VALUES),
        log_bytes=bytes_in(Path(flags["storage.tsdb.path"]) / "wal"),
    )


def _titles(page: Page) -> Mapping[str, str]:
    return {
        "series": page.say("series in memory"),
        "samples": page.say("samples taken in"),
        "memory": page.say("memory"),
        "cpu": page.say("of a core"),
        "lag": page.say("event loop lag, 99%"),
    }


def _facts(page: Page, look: Look) -> list[tuple[str, str]]:
    """Return what there is to know besides, name by name."""

    def value(name: str) -> float:
        return look.values[name].get("", 0)

    return [
        (page.say("Version"), f"controlplane {__version__}, Python {platform.python_version()}"),
        (page.say("Replica"), page.on.flags["replica"]),
        (page.say("Address of all links"), page.on.flags["web.external-url"]),
        (
            page.say("Log of samples"),
            page.say("%(size)s in %(count)s segments")
            % {
                "size": size(look.log_bytes),
                "count": round(value("controlplane_tsdb_wal_segments")),
            },
        ),
        (
            page.say("Blocks of samples"),
            page.say("%(size)s in %(count)s blocks")
            % {
                "size": size(value("controlplane_tsdb_block_bytes")),
                "count": round(value("controlplane_tsdb_blocks")),
            },
        ),
        (page.say("Samples waiting"), f"{value('controlplane_tsdb_queue_samples'):.0f}"),
        (
            page.say("Open files"),
            f"{value('process_open_fds'):.0f} / {value('process_max_fds'):.0f}",
        ),
        (
            page.say("Log in"),
            page.say("needed")
            if page.console.guard.token is not None
            else page.say("not needed: this machine alone is answered"),
        ),
    ]
