"""Templates, with what every page may use."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, cast
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from controlplane.model.duration import format_duration
from controlplane.ui.language import LANGUAGES, Language, language
from controlplane.ui.times import compact


class Templates:
    """One environment for each language; made once, templates are compiled at first use."""

    def __init__(self) -> None:
        self._environments = {code: _environment(code) for code in LANGUAGES}

    def render(
        self, name: str, spoken: Language, context: Mapping[str, Any], block: str = ""
    ) -> str:
        """Return a template filled in, or only the block of that name where it has one.

        An undefined name is an error, never an empty text.
        """
        template = self._environments[spoken.code].get_template(name)
        if block in template.blocks:
            return "".join(template.blocks[block](template.new_context(dict(context))))
        return template.render(context)


# Templates do not change while the program runs: each is compiled once.
@cache
def _environment(code: str) -> Environment:
    spoken = language(code)
    environment = Environment(
        loader=PackageLoader("controlplane.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.loopcontrols"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    # The extension adds this to the environment.
    cast(Any, environment).install_gettext_translations(spoken.words, newstyle=True)
    environment.filters |= {
        "compact": compact,
        "duration": format_duration,
        "segment": lambda text: quote(str(text), safe=""),
        "query": lambda fields: urlencode(fields, doseq=True),
        "json": _json,
    }
    # At hand in every block, also where one is rendered alone.
    environment.globals["ui"] = environment.get_template("macros.html").module
    return environment


def _json(value: object) -> str:
    """Return JSON for a `data-` attribute, where it is escaped as any text."""
    return json.dumps(value, separators=(",", ":"))
