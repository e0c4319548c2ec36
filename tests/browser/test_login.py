"""Where a token is set: the login, its session, its end."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open
from tests.support.service import Service, running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Give a service that wants a token."""
    environment = {"CONTROLPLANE_API_TOKEN": "s3cret-token"}
    async with running(tmp_path, environment=environment, token="s3cret-token") as started:
        yield started


async def test_a_token_and_a_name_open_the_console(visit: Open, service: Service) -> None:
    """A browser without a session is sent to the login, and comes back to where it was going."""
    visitor = await visit()
    page = visitor.page
    await visitor.go("/silences/new")
    await expect(page).to_have_url(re.compile("/login"))
    await visitor.picture("login")
    await page.get_by_label("name").fill("Ada")
    await page.get_by_label("token").fill("wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not valid")
    visitor.complaints.clear()  # the browser tells of every 401
    await page.get_by_label("token").fill("s3cret-token")
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile("/silences/new"))
    await expect(page.locator("header")).to_contain_text("Ada")
    cookies = await page.context.cookies()
    session = next(each for each in cookies if each["name"] == "controlplane_session")
    assert session["httpOnly"]
    assert session["sameSite"] == "Strict"
    assert "s3cret" not in session["value"]
    await page.get_by_role("button", name="Log out").click()
    await visitor.go("/")
    await expect(page).to_have_url(re.compile("/login"))
