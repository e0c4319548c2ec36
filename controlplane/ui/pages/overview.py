"""The overview: the fleet at a glance, and what fires now."""

from starlette.responses import Response

from controlplane.ui.console import Page


async def show(page: Page) -> Response:
    """Show how everything stands."""
    return page.render("overview.html", {})
