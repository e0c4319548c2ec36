"""The rules: groups as they are evaluated, with what each rule found last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from controlplane.promql.numbers import format_value
from controlplane.ui.console import Page
from controlplane.ui.pages.rules_list import (
    HEALTHS,
    STATES,
    Wanted,
    counts,
    read_wanted,
    rows_of,
)

PATH: Final = "/rules"


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to narrow the list: where it leads, how many rules it leaves."""

    address: str
    text: str
    count: int
    current: bool


async def show(page: Page) -> Response:
    """Show the groups with the rules that the address asks for."""
    wanted, groups = read_wanted(page.request.query_params), page.on.rules()
    context = {
        "wanted": wanted,
        "groups": rows_of(groups, wanted),
        "total": sum(len(group.rules) for group in groups),
        "choices": _choices(page, wanted),
        "address": _address(wanted.fields(), part="groups"),
        "words_of_state": words_of_state(page),
        "number_words": format_value,
    }
    return page.render("rules.html", context)


def words_of_state(page: Page) -> dict[str, str]:
    """Return the words for states and healths."""
    return {
        "firing": page.say("firing"),
        "pending": page.say("pending"),
        "inactive": page.say("inactive"),
        "recording": page.say("recording"),
        "ok": page.say("ok"),
        "error": page.say("error"),
        "no_data": page.say("no data"),
        "unknown": page.say("not evaluated yet"),
    }


def _choices(page: Page, wanted: Wanted) -> list[list[Choice]]:
    """Return the rows of choices: by state, and by health. What is chosen is left by itself."""
    found, words = counts(page.on.rules()), words_of_state(page)
    rows = []
    for field, names, chosen in (
        ("state", STATES, wanted.state),
        ("health", HEALTHS, wanted.health),
    ):
        rows.append(
            [
                Choice(
                    _address(wanted.fields(**{field: "" if name == chosen else name})),
                    words[name],
                    found.get(name, 0),
                    current=name == chosen,
                )
                for name in names
                if found.get(name) or name == chosen
            ]
        )
    return rows


def _address(fields: Mapping[str, str], **more: str) -> str:
    asked = {**fields, **more}
    return f"{PATH}?{urlencode(asked)}" if asked else PATH
