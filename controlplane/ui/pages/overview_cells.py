"""What the map's script needs to know of its cells, and the way from a cell to its target."""

from typing import Final
from urllib.parse import quote

import orjson
from starlette.responses import RedirectResponse, Response

from controlplane.errors import NotFound
from controlplane.targets.index import State
from controlplane.ui.compression import compressed
from controlplane.ui.console import HEADERS, Page
from controlplane.ui.fleet import prefix_length
from controlplane.ui.pages.overview import grouping, standing

_LETTERS: Final = {State.UP: "u", State.DOWN: "d", State.UNKNOWN: "n", State.PAUSED: "p"}


async def show(page: Page) -> Response:
    """Return the cells of each block in order: the beginnings of ids, and states as letters.

    With `names` their names too, which a pointer that rests on a cell shows.
    """
    entries = page.on.targets.entries()
    states, found = standing(page).states, grouping(page)
    length = page.console.kept.get(
        "prefix",
        page.on.targets.version,
        lambda: prefix_length([entry.target.id for entry in entries]),
    )
    with_names = "names" in page.request.query_params
    answer = {
        "length": length,
        "blocks": [
            {
                "ids": "".join(entries[place].target.id[:length] for place in each.members),
                "states": "".join(_LETTERS[states[place]] for place in each.members),
                "names": [entries[place].target.name for place in each.members]
                if with_names
                else None,
            }
            for each in found.groups
        ],
    }
    response = Response(orjson.dumps(answer), headers=dict(HEADERS), media_type="application/json")
    return compressed(page.request, response)


async def follow(page: Page) -> Response:
    """Send the reader from a cell, named by the beginning of an id, to its target."""
    wanted = page.request.path_params["cell"]
    for entry in page.on.targets.entries():
        if entry.target.id.startswith(wanted):
            path = f"/targets/{quote(entry.target.id, safe='')}"
            return RedirectResponse(path, status_code=303, headers=dict(HEADERS))
    raise NotFound("this target is gone")
