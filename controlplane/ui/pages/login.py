"""Log in with the API token and a name; log out."""

from starlette.responses import Response

from controlplane.auth import sessions
from controlplane.errors import Forbidden, InvalidInput, Unauthorized
from controlplane.ui.console import Page
from controlplane.ui.forms import own_path, read_form


async def show(page: Page) -> Response:
    """Show the form."""
    return _form(page, page.request.query_params.get("next", "/"))


async def act(page: Page) -> Response:
    """Begin a session, and go where the reader wanted to go."""
    _same_site(page)
    form = await read_form(page.request)
    wanted = form.text("next", "/")
    try:
        cookie = page.console.guard.login(form.text("name"), form.text("token"), page.now)
    except (Unauthorized, InvalidInput) as error:
        return _form(page, wanted, str(error), form.text("name"), status=401)
    response = page.redirect(own_path(wanted))
    response.set_cookie(
        sessions.COOKIE,
        cookie,
        max_age=sessions.LIFETIME // 1000,
        httponly=True,
        samesite="strict",
        secure=page.secure,
    )
    return response


async def leave(page: Page) -> Response:
    """End the session of this browser."""
    response = page.redirect("/login")
    response.delete_cookie(sessions.COOKIE)
    return response


def _form(
    page: Page, wanted: str, error: str = "", name: str = "", *, status: int = 200
) -> Response:
    context = {"wanted": own_path(wanted), "error": error, "name": name}
    return page.render("login.html", context, status=status)


def _same_site(page: Page) -> None:
    """Refuse a login that a page from elsewhere sends: nobody has a session yet."""
    site = page.request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise Forbidden("requests of pages from elsewhere are refused")
