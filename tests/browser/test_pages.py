"""Every page: well-formed for people, machines and screens of all sizes."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, Shop, Visitor
from tests.support.service import Service, eventually

AXE: Final = Path("node_modules/axe-core/axe.min.js")
_PAGES: Final = (
    "/",
    "/targets",
    "/targets/new",
    "/alerts",
    "/silences",
    "/silences/new",
    "/incidents",
    "/status/public",
    "/rules",
    "/query",
    "/query?expr=probe_duration_seconds",
    "/query?expr=rate(",
    "/autoscaling",
    "/autoscaling/shop",
    "/receivers",
    "/jobs",
    "/system",
    "/login",
    "/nothing-here",
)
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def paths(service: Service) -> dict[str, str]:
    """Return the pages there are, by a name for their pictures, those of single things too."""
    found = {path.strip("/").replace("/", "-") or "overview": path for path in _PAGES}
    target = (await service.get("/api/v1/targets"))["items"][0]
    found["target"] = f"/targets/{target['id']}"
    found["target-edit"] = f"/targets/{target['id']}/edit"
    return found


async def broken(service: Service, shop: Shop) -> str:
    """Break the shop; return the fingerprint of the alert that fires."""
    shop.broken = True

    async def fires() -> str:
        items = (await service.get("/api/v1/alerts?state=firing"))["items"]
        return items[0]["fingerprint"] if items else ""

    return await eventually(fires, "the alert")


async def wrong(visitor: Visitor) -> list[str]:
    """Return what axe finds wrong with the page that is open."""
    await visitor.page.evaluate(AXE.read_text())
    found: dict[str, Any] = await visitor.page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", _TAGS
    )
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
    ]


@pytest.mark.skipif(not AXE.exists(), reason="axe-core: not installed (npm ci)")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_pages_are_accessible(
    visit: Open, service: Service, shop: Shop, *, dark: bool
) -> None:
    """WCAG 2.2 AA, as far as a machine can tell, in both themes, with things going wrong."""
    fingerprint = await broken(service, shop)
    visitor = await visit(DESKTOP, dark=dark)
    found = {}
    pages = await paths(service) | {"alert": f"/alerts/{fingerprint}"}
    for name, path in pages.items():
        await visitor.go(path)
        await visitor.picture(f"{name}-{'dark' if dark else 'light'}")
        if problems := await wrong(visitor):
            found[path] = problems
    visitor.forgive("status of 404", "status of 422")
    assert found == {}


async def test_pages_fit_a_phone(visit: Open, service: Service, shop: Shop) -> None:
    """No page is wider than a phone; what must be wide scrolls within it."""
    fingerprint = await broken(service, shop)
    visitor = await visit(PHONE)
    wide = {}
    pages = await paths(service) | {"alert": f"/alerts/{fingerprint}"}
    for name, path in pages.items():
        await visitor.go(path)
        await visitor.picture(f"{name}-phone")
        width = await visitor.page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE[0]:
            wide[path] = width
    visitor.forgive("status of 404", "status of 422")
    assert wide == {}


async def test_pages_work_without_scripts(visit: Open, service: Service, shop: Shop) -> None:
    """Every page says what it has to say before any script has run."""
    fingerprint = await broken(service, shop)
    visitor = await visit(scripts=False)
    pages = await paths(service) | {"alert": f"/alerts/{fingerprint}"}
    for path in pages.values():
        await visitor.go(path)
        assert await visitor.page.locator("h1").count() == 1, path
        assert (await visitor.page.locator("main").inner_text()).strip(), path
    visitor.forgive("status of 404", "status of 422")
