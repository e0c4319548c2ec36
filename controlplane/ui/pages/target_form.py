"""Add a target, change one, remove one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from controlplane.errors import Conflict, InvalidInput, TooLarge
from controlplane.model.target import DASHBOARD_TEMPLATES, Provenance, Target
from controlplane.ui.console import Page
from controlplane.ui.forms import read_form
from controlplane.ui.target_fields import Fields, Refused, errors_of, modules_of

NO_ERRORS: Final[Mapping[str, str]] = MappingProxyType({})


async def show_new(page: Page) -> Response:
    """Show an empty form, or one filled in by the address."""
    given = page.request.query_params
    return _form(page, None, Fields(name=given.get("name", ""), endpoint=given.get("url", "")))


async def add(page: Page) -> Response:
    """Register a target."""
    fields = Fields.read(await read_form(page.request))
    try:
        edit = fields.edit(paused=False)
        _check_free(page, edit.spec.name)
        target, _ = await page.on.targets.register(edit.spec, page.now)
    except (InvalidInput, Conflict, TooLarge) as error:
        return _form(page, None, fields, errors_of(error))
    return page.redirect(address(target), page.say("Added: it is probed from now on."))


async def show_edit(page: Page) -> Response:
    """Show a target in the form."""
    target = wanted_target(page)
    return _form(page, target, Fields.of(target))


async def change(page: Page) -> Response:
    """Change a target; of one that a file owns, only what an operator sets."""
    target = wanted_target(page)
    fields = Fields.read(await read_form(page.request))
    if target.provenance is Provenance.FILE:
        shown = Fields.of(target)
        fields = Fields(**{**_texts(shown), "overrides": fields.overrides})
    else:
        fields = Fields(**{**_texts(fields), "name": target.name})
    try:
        target = await page.on.targets.update(
            target.id,
            lambda edit: (
                fields.overridden(edit)
                if target.provenance is Provenance.FILE
                else fields.edit(edit.paused)
            ),
            actor=page.actor,
            now=page.now,
        )
    except InvalidInput as error:
        return _form(page, target, fields, errors_of(error))
    return page.redirect(address(target), page.say("Changed."))


async def show_delete(page: Page) -> Response:
    """Ask whether a target is really to go."""
    return page.render("target_delete.html", {"target": wanted_target(page)})


async def delete(page: Page) -> Response:
    """Remove a target."""
    target = wanted_target(page)
    await page.on.targets.delete(target.id)
    return page.redirect("/targets", page.say("%s is not watched any more.") % target.name)


def wanted_target(page: Page) -> Target:
    """Return the target that the path names. Raises NotFound."""
    return page.on.targets.get(page.request.path_params["target_id"])


def address(target: Target) -> str:
    """Return the path of a target's page."""
    return f"/targets/{quote(target.id, safe='')}"


def _check_free(page: Page, name: str) -> None:
    """Return when no target has the name: the form adds, it replaces nothing."""
    if page.on.targets.named(name) is not None:
        raise Refused({"name": page.say("There is a target of that name already.")})


def _texts(fields: Fields) -> dict[str, str]:
    return {name: getattr(fields, name) for name in Fields.__dataclass_fields__}


def _form(
    page: Page, target: Target | None, fields: Fields, errors: Mapping[str, str] = NO_ERRORS
) -> Response:
    context = {
        "target": target,
        "owned": target is not None and target.provenance is Provenance.FILE,
        "fields": fields,
        "errors": errors,
        "dashboards": DASHBOARD_TEMPLATES,
        "modules": modules_of(list(page.on.modules()), fields.module),
    }
    return page.render("target_form.html", context, status=422 if errors else 200)
