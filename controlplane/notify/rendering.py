"""Notification templates: what they see, and the texts made of them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final, Protocol

from controlplane.notify.alertmanager_templates import ALERTMANAGER_TEMPLATES
from controlplane.notify.default_templates import DEFAULT_TEMPLATES
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.options import Templated
from controlplane.notify.message import FailureReason, Notification
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    Library,
    TemplateError,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import Data

_DEFAULTS: Final = (
    ("alertmanager.tmpl", ALERTMANAGER_TEMPLATES),
    ("default.tmpl", DEFAULT_TEMPLATES),
)


class Render(Protocol):
    """Makes the text of one template; with `html`, what values bring into it is escaped."""

    def __call__(self, text: str, *, html: bool = False) -> str: ...


class Templates:
    """The default templates and those of the `templates` files put over them.

    `files` are (name, text). Raises TemplateError for one that cannot be parsed.
    """

    def __init__(self, *, external_url: str, files: Iterable[tuple[str, str]] = ()) -> None:
        self.external_url = external_url.rstrip("/")
        self._library = Library([*_DEFAULTS, *files], ALERTMANAGER_FUNCTIONS)

    def check(self, text: str) -> None:
        """Raise TemplateError when a text cannot be compiled, or calls what is not defined."""
        compile_template(text, functions=ALERTMANAGER_FUNCTIONS, library=self._library).check()

    def data(self, notification: Notification) -> Data:
        """Return what templates see of a notification."""
        content = notification.content
        data = Data.of(
            notification.receiver,
            content.group_labels,
            content.alerts,
            now=content.at,
            external_url=self.external_url,
        )
        return replace(data, notification_reason=content.reason.value)

    def renderer(self, notification: Notification) -> Render:
        """Return a function from template to text.

        It raises DeliveryError, permanent, for a template that fails.
        """

        @cache
        def data() -> Data:
            """What templates see is put together for the first of them, if there is one."""
            return self.data(notification)

        functions = alertmanager_functions(notification.content.at)

        def render(text: str, *, html: bool = False) -> str:
            if "{{" not in text:
                return text
            try:
                template = compile_template(
                    text, functions=ALERTMANAGER_FUNCTIONS, library=self._library, html=html
                )
                return template.render(data(), functions)
            except TemplateError as error:
                raise DeliveryError(
                    f"template: {error}", reason=FailureReason.CLIENT_ERROR
                ) from error

        return render


def render_tree(tree: Templated, render: Render) -> Any:
    """Return JSON whose strings, keys included, have been rendered."""
    if isinstance(tree, str):
        return render(tree)
    if isinstance(tree, Mapping):
        return {render(key): render_tree(value, render) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return [render_tree(item, render) for item in tree]
    return tree


def truncate(text: str, limit: int) -> str:
    """Return the text in at most `limit` characters, the last being `…` when it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def truncate_bytes(text: str, limit: int) -> str:
    """Return the text in at most `limit` bytes of UTF-8, `…` at its end when it was cut."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len("…".encode())].decode(errors="ignore") + "…"
