"""What Slack documents of a message: its fields, types and limits.

`check_message` returns Slack's error code with what is wrong, or nothing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from controlplane.demo.standins.checks import Problems

POST_FIELDS: Final = frozenset(
    {"channel", "text", "attachments", "blocks", "username", "icon_emoji", "icon_url"}
    | {"link_names", "mrkdwn", "parse", "reply_broadcast", "thread_ts", "unfurl_links"}
    | {"unfurl_media", "metadata", "as_user"}
)
UPDATE_FIELDS: Final = frozenset(
    {"channel", "ts", "text", "attachments", "blocks", "link_names", "parse", "metadata"}
    | {"reply_broadcast", "as_user"}
)
MAX_TEXT: Final = 40_000
MAX_ATTACHMENTS: Final = 100
MAX_BLOCKS: Final = 50
MAX_BLOCK_CHARACTERS: Final = 13_200
_COLOR: Final = re.compile(r"(#[0-9a-fA-F]{6}|good|warning|danger)\Z")
_TS: Final = re.compile(r"\d{10}\.\d{6}\Z")
_ATTACHMENT: Final = frozenset(
    {"title", "title_link", "pretext", "text", "fallback", "callback_id", "fields", "actions"}
    | {"image_url", "thumb_url", "footer", "footer_icon", "color", "mrkdwn_in", "ts", "blocks"}
    | {"author_name", "author_link", "author_icon", "attachment_type"}
)
_ACTION: Final = ("type", "text", "url", "style", "name", "value", "confirm")
_BLOCKS: Final = ("section", "header", "context", "divider", "actions", "image", "rich_text")


def check_message(body: Mapping[str, Any], fields: frozenset[str]) -> str:
    """Return what is wrong with a message, beginning with Slack's error code, or ''."""
    if not any(body.get(name) for name in ("text", "attachments", "blocks")):
        return "no_text"
    if len(str(body.get("text", ""))) > MAX_TEXT:
        return "msg_too_long"
    attachments = body.get("attachments") or []
    if isinstance(attachments, list) and len(attachments) > MAX_ATTACHMENTS:
        return "too_many_attachments"
    problems = Problems()
    problems.known(body, fields)
    for name in ("channel", "text", "username", "icon_emoji"):
        problems.text(body, name, most=MAX_TEXT)
    problems.url(body, "icon_url")
    for name in ("ts", "thread_ts"):
        if body.get(name) and not _TS.match(str(body[name])):
            problems.add(f"'{name}' is no time stamp of a message")
    if problems.found:
        return _words("invalid_arguments", problems)
    return _attachments(body) or _blocks(body)


def _attachments(body: Mapping[str, Any]) -> str:
    problems = Problems()
    for attachment in problems.objects(body, "attachments", most=MAX_ATTACHMENTS):
        _attachment(attachment, problems)
        if error := _blocks(attachment):
            return error
    return _words("invalid_attachments", problems)


def _attachment(attachment: Mapping[str, Any], problems: Problems) -> None:
    problems.known(attachment, _ATTACHMENT)
    problems.text(attachment, "title", most=1_024)
    for name in ("pretext", "text"):
        problems.text(attachment, name, most=8_000)
    problems.text(attachment, "fallback", most=4_000)
    problems.text(attachment, "footer", most=300)
    problems.text(attachment, "callback_id", most=255)
    for name in ("title_link", "image_url", "thumb_url", "author_link"):
        problems.url(attachment, name)
    if attachment.get("color") and not _COLOR.match(str(attachment["color"])):
        problems.add("'color' is neither good, warning, danger nor #rrggbb")
    allowed = {"pretext", "text", "fields", "fallback"}
    if not set(attachment.get("mrkdwn_in", [])) <= allowed:
        problems.add("'mrkdwn_in' names what has no markup")
    for entry in problems.objects(attachment, "fields", most=100):
        problems.known(entry, ("title", "value", "short"))
        problems.text(entry, "title", most=2_000)
        problems.text(entry, "value", most=2_000)
        if not isinstance(entry.get("short", False), bool):
            problems.add("'short' is neither true nor false")
    actions = problems.objects(attachment, "actions", most=5)
    for action in actions:
        _action(action, problems)
    if any("name" in action for action in actions) and not attachment.get("callback_id"):
        problems.add("'callback_id' is missing beside actions")


def _action(action: Mapping[str, Any], problems: Problems) -> None:
    problems.known(action, _ACTION)
    problems.one_of(action.get("type"), ("button", "select"), "type")
    problems.text(action, "text", most=75, required=True)
    problems.url(action, "url")
    problems.text(action, "value", most=2_000)
    problems.one_of(action.get("style", "default"), ("default", "primary", "danger"), "style")


def _blocks(holder: Mapping[str, Any]) -> str:
    problems = Problems()
    blocks = problems.objects(holder, "blocks", most=MAX_BLOCKS)
    for block in blocks:
        _block(block, problems)
    if sum(_characters(block) for block in blocks) > MAX_BLOCK_CHARACTERS:
        return "msg_blocks_too_long"
    return _words("invalid_blocks", problems)


def _block(block: Mapping[str, Any], problems: Problems) -> None:
    kind = block.get("type")
    problems.one_of(kind, _BLOCKS, "type")
    problems.text(block, "block_id", most=255)
    if kind == "header":
        _text_object(block.get("text"), 150, problems, kinds=("plain_text",))
    if kind == "section":
        if block.get("text") is None and not block.get("fields"):
            problems.add("a section has neither text nor fields")
        if block.get("text") is not None:
            _text_object(block["text"], 3_000, problems)
        for entry in problems.objects(block, "fields", most=10):
            _text_object(entry, 2_000, problems)
    if kind == "context":
        for element in problems.objects(block, "elements", most=10):
            if element.get("type") != "image":
                _text_object(element, 3_000, problems)
    if kind == "image":
        _image(block, problems)
    if kind == "actions":
        _actions(block, problems)


def _image(block: Mapping[str, Any], problems: Problems) -> None:
    problems.url(block, "image_url")
    problems.text(block, "alt_text", most=2_000, required=True)
    if not block.get("image_url") and not block.get("slack_file"):
        problems.add("an image has neither image_url nor slack_file")


def _actions(block: Mapping[str, Any], problems: Problems) -> None:
    elements = problems.objects(block, "elements", most=25)
    if not elements:
        problems.add("actions without elements")
    names = [element.get("action_id") for element in elements]
    if len(names) != len(set(names)):
        problems.add("two elements have the same 'action_id'")
    for element in elements:
        _button(element, problems)


def _button(element: Mapping[str, Any], problems: Problems) -> None:
    problems.text(element, "action_id", most=255)
    problems.text(element, "value", most=2_000)
    problems.url(element, "url")
    problems.one_of(element.get("style", "primary"), ("primary", "danger"), "style")
    if element.get("type") == "button":
        _text_object(element.get("text"), 75, problems, kinds=("plain_text",))


def _text_object(
    value: object,
    most: int,
    problems: Problems,
    kinds: tuple[str, ...] = ("plain_text", "mrkdwn"),
) -> None:
    if not isinstance(value, dict):
        problems.add("a text object is missing")
        return
    problems.one_of(value.get("type"), kinds, "type")
    problems.text(value, "text", most=most, required=True)


def _characters(value: object) -> int:
    """Return how much text stands in a block, all its parts together."""
    if isinstance(value, Mapping):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_characters(part) for part in value.values())
    return sum(_characters(part) for part in value) if isinstance(value, list) else 0


def _words(code: str, problems: Problems) -> str:
    return f"{code}: {'; '.join(problems.found)}" if problems.found else ""
