"""The story that the console is for: something breaks, and somebody sees to it."""

import re

from playwright.async_api import expect

from tests.browser.conftest import Open, Shop
from tests.browser.test_pages import broken
from tests.support.service import PATIENCE, Service, eventually
from tests.support.web import Web

_WAIT = PATIENCE * 1000


async def test_a_target_breaks_and_recovers(visit: Open, service: Service, shop: Shop) -> None:
    """The map turns, the alert appears, is acknowledged, and is gone when all is well again."""
    visitor = await visit()
    page = visitor.page
    await visitor.go("/")
    await expect(page.locator("main")).to_contain_text("shop", timeout=_WAIT)
    await expect(page.locator("main")).not_to_contain_text("ShopDown")
    shop.broken = True
    # Nobody reloads the page.
    await expect(page.locator("main")).to_contain_text("ShopDown", timeout=_WAIT)
    await visitor.picture("story-1-broken")
    await page.get_by_role("link", name="ShopDown").first.click()
    await expect(page).to_have_url(re.compile("/alerts/"))
    await expect(page.locator("main")).to_contain_text("does not answer")
    await page.get_by_role("button", name=re.compile("acknowledge", re.IGNORECASE)).first.click()
    await expect(page.locator("main")).to_contain_text(
        re.compile("silenced|acknowledged", re.IGNORECASE)
    )
    await visitor.picture("story-2-acknowledged")
    silences = [
        s for s in (await service.get("/api/v1/silences"))["items"] if s["state"] == "active"
    ]
    assert len(silences) == 1
    shop.broken = False
    await visitor.go("/")
    await expect(page.locator("#firing")).not_to_contain_text("ShopDown", timeout=_WAIT)
    await visitor.picture("story-3-well")


async def test_the_first_day(visit: Open, service: Service, shop: Shop, pager: Web) -> None:
    """Add a site, see it go down, get the message, acknowledge, see it well again, read why."""
    visitor = await visit()
    page = visitor.page
    await visitor.go("/")
    await page.get_by_role("link", name="Add a target").first.click()
    await page.get_by_label("What is probed").fill(shop.site.url("/mine"))
    await page.get_by_label("Name", exact=False).first.fill("mine")
    await page.get_by_label("Labels").first.fill("team=shop")
    await visitor.picture("day-1-form")
    await page.get_by_role("button", name="Add").click()
    await expect(page).to_have_url(re.compile("/targets/[0-9a-f]+"))
    await expect(page.locator("#state")).to_contain_text("up", timeout=_WAIT)
    shop.broken = True
    await expect(page.locator("#state")).to_contain_text("down", timeout=_WAIT)
    await expect(page.locator("#alerts")).to_contain_text("ShopDown", timeout=_WAIT)
    await visitor.picture("day-2-down")

    async def messages() -> list[str]:
        return [each for each in pager.requests if '"job":"mine"' in each.replace(" ", "")]

    assert '"status":"firing"' in (await eventually(messages, "the page"))[0].replace(" ", "")
    await page.locator("#alerts").get_by_role("link", name="ShopDown").first.click()
    await page.get_by_role("button", name=re.compile("acknowledge", re.IGNORECASE)).first.click()
    await expect(page.locator("main")).to_contain_text("acknowledged")
    shop.broken = False
    await expect(page.locator("main")).to_contain_text("it ended", timeout=_WAIT)
    await visitor.picture("day-3-why")

    async def resolved() -> list[str]:
        return [each for each in await messages() if '"status":"resolved"' in each.replace(" ", "")]

    assert await eventually(resolved, "the end, which is told although it was acknowledged")


async def test_the_story_without_scripts(visit: Open, service: Service, shop: Shop) -> None:
    """The same by links and forms alone."""
    fingerprint = await broken(service, shop)
    visitor = await visit(scripts=False)
    page = visitor.page
    await visitor.go("/")
    await page.get_by_role("link", name="ShopDown").first.click()
    await expect(page).to_have_url(re.compile(fingerprint))
    await page.get_by_role("button", name=re.compile("acknowledge", re.IGNORECASE)).first.click()
    await expect(page.locator("main")).to_contain_text(
        re.compile("silenced|acknowledged", re.IGNORECASE)
    )


async def test_keys_alone(visit: Open, service: Service, shop: Shop) -> None:
    """Who has no mouse gets to the alert, and to the search."""
    await broken(service, shop)
    visitor = await visit()
    page = visitor.page
    await visitor.go("/")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page).to_have_url(re.compile("/alerts$"))
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/alerts/.+|/alerts\\?.+"))
    await page.keyboard.press("/")
    await page.keyboard.type("shop")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/targets\\?search=shop"))
    await expect(page.locator("main")).to_contain_text("shop")


async def test_the_last_overview_is_kept(visit: Open, service: Service) -> None:
    """When we cannot be reached the last overview is still there, and says how old it is."""
    visitor = await visit()
    page = visitor.page
    await visitor.go("/")
    await page.evaluate("navigator.serviceWorker.ready")
    await visitor.go("/")
    await page.wait_for_function("caches.open('controlplane-1').then(c => c.match('/'))")
    await service.kill()
    await page.reload()
    await expect(page.locator("main, .flash").first).to_contain_text("Offline")
    await visitor.picture("offline")
    visitor.complaints.clear()
