"""Notification templates: what they see, and the texts made of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any, Final, Protocol, TypeVar

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.notify.alertmanager_templates import ALERTMANAGER_TEMPLATES
from controlplane.notify.apprise_templates import APPRISE_TEMPLATES
from controlplane.notify.default_templates import DEFAULT_TEMPLATES, STANDS_FOR
from controlplane.notify.errors import DeliveryError, TooLarge
from controlplane.notify.integrations.options import Templated
from controlplane.notify.message import FailureReason, Notification
from controlplane.notify.message_functions import MESSAGE_FUNCTIONS, Shown, message_functions
from controlplane.notify.ports import GroupFlush
from controlplane.notify.reading import Readings, no_readings
from controlplane.notify.route_labels import RouteLabel, RouteLabels
from controlplane.templating import Library, TemplateError, compile_template, nodes
from controlplane.templating.data import KV, Data
from controlplane.templating.errors import TooMuch
from controlplane.templating.template import Template

_DEFAULTS: Final = (
    ("alertmanager.tmpl", ALERTMANAGER_TEMPLATES),
    ("default.tmpl", DEFAULT_TEMPLATES),
    ("apprise.tmpl", APPRISE_TEMPLATES),
)

# Messages of so many alerts are made at once, in less time than another thread would begin in.
_FEW: Final = 20

_Made = TypeVar("_Made")


class Render(Protocol):
    """Makes the text of one template; with `html`, what values bring into it is escaped."""

    def __call__(self, text: str, *, html: bool = False) -> str: ...


class Templates:
    """The default templates and those of the `templates` files put over them.

    `files` are (name, text); one that overrides a text of Alertmanager's also
    overrides ours in its place. Raises TemplateError for one that cannot be parsed.
    """

    def __init__(
        self,
        *,
        external_url: str,
        files: Iterable[tuple[str, str]] = (),
        readings: Readings = no_readings,
    ) -> None:
        self.external_url = external_url.rstrip("/")
        self._readings = readings
        given = [*files]
        overrides = ("overrides.tmpl", _overrides(Library(given, MESSAGE_FUNCTIONS)))
        self._library = Library([*_DEFAULTS, overrides, *given], MESSAGE_FUNCTIONS)
        # One: more would not be faster, and leave the event loop less.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="messages")

    def check(self, text: str) -> None:
        """Raise TemplateError when a text cannot be compiled, or calls what is not defined."""
        self._compiled(text).check()

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
        written = self._route_labels(content.route_labels, data, content.at)
        return replace(
            data, notification_reason=content.reason.value, route_labels=KV(dict(written))
        )

    def labels_of(self, notification: Notification) -> Mapping[str, str]:
        """Return the labels of a notification's route, written."""
        has_any = bool(notification.content.route_labels)
        return self.data(notification).route_labels.pairs if has_any else {}

    def route_labels(self, flush: GroupFlush) -> Mapping[str, str]:
        """Return the labels of a group's route, written for the alerts that it holds."""
        if not flush.route_labels:
            return {}
        data = Data.of(
            flush.receiver,
            flush.group_labels,
            flush.alerts,
            now=flush.at,
            external_url=self.external_url,
        )
        return self._route_labels(flush.route_labels, data, flush.at)

    def renderer(self, notification: Notification, picture: Shown | None = None) -> Render:
        """Return a function from template to text; a `picture` stands in the message already.

        It raises DeliveryError, permanent, for a template that fails.
        """

        @cache  # asked for by the first template, if there is one
        def data() -> Data:
            return self.data(notification)

        functions = message_functions(
            notification.content.at,
            self.external_url,
            self._readings,
            picture,
            route_label=lambda name: data().route_labels.pairs.get(name, ""),
        )

        @cache  # some integrations show a text in two places
        def render(text: str, *, html: bool = False) -> str:
            if "{{" not in text:
                return text
            try:
                return self._compiled(text, html=html).render(data(), functions)
            except TemplateError as error:
                kind = TooLarge if isinstance(error, TooMuch) else DeliveryError
                raise kind(f"template: {error}", reason=FailureReason.CLIENT_ERROR) from error

        return render

    async def made(
        self,
        notification: Notification,
        make: Callable[[Render], _Made],
        picture: Shown | None = None,
    ) -> _Made:
        """Return what `make` makes with a renderer, none of which may need the event loop.

        The messages of large groups are made one after the other on a thread
        of their own; that takes nothing of the time that the receiver has.
        """
        render = self.renderer(notification, picture)
        if len(notification.content.alerts) <= _FEW:
            return make(render)
        limit = notification.limit
        with nullcontext() if limit is None else limit.stopped():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, make, render)

    def _compiled(self, text: str, *, html: bool = False) -> Template:
        return compile_template(text, functions=MESSAGE_FUNCTIONS, library=self._library, html=html)

    def _route_labels(self, templates: Labels, data: Data, at: Timestamp) -> Mapping[str, str]:
        """Return the labels, which do not know for which message they are written."""
        if not templates:
            return {}
        seen = replace(data, route_labels=KV(dict(templates)), notification_reason="unknown")

        def write(text: str, route_label: RouteLabel) -> str:
            functions = message_functions(
                at, self.external_url, self._readings, route_label=route_label
            )
            return self._compiled(text).render(seen, functions)

        return RouteLabels(templates, write).all()


def _overrides(given: Library) -> str:
    """Return definitions that put what files say in Alertmanager's name in the place of ours."""
    known = {**Library(_DEFAULTS, MESSAGE_FUNCTIONS).definitions, **given.definitions}

    def changed(name: str, seen: frozenset[str] = frozenset()) -> bool:
        if name in given.definitions:
            return True
        if name in seen or name not in known or name.startswith(("controlplane.", "cp.")):
            return False
        called = (call.name for call in nodes.calls(known[name].body))
        return any(changed(each, seen | {name}) for each in called)

    return "".join(
        f'{{{{ define "{ours}" }}}}{{{{ template "{theirs}" . }}}}{{{{ end }}}}'
        for ours, theirs in STANDS_FOR.items()
        if changed(theirs)
    )


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
