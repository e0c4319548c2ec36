"""Telegram messages, within Telegram's limit."""

import re
from typing import Final

from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.rendering import Render, truncate

MAX_MESSAGE: Final = 4_096
# A tag, an entity, or one character.
_PIECE: Final = re.compile(r"<(?P<end>/?)(?P<tag>[A-Za-z][\w-]*)[^<>]*>|&#?\w+;|.", re.DOTALL)


def message(config: TelegramConfig, chat_id: str, render: Render) -> dict[str, str]:
    """Return the arguments of `sendMessage`."""
    html = config.parse_mode == "HTML"
    written = render(config.message, html=html)
    text = truncate_html(written, MAX_MESSAGE) if html else truncate(written, MAX_MESSAGE)
    body = {"chat_id": chat_id, "text": text, "disable_web_page_preview": "true"}
    if config.disable_notifications:
        body["disable_notification"] = "true"
    if config.parse_mode:
        body["parse_mode"] = config.parse_mode
    if config.message_thread_id:
        body["message_thread_id"] = str(config.message_thread_id)
    return body


def truncate_html(text: str, limit: int) -> str:
    """Return HTML in at most `limit` characters: no tag is cut, and those left open are closed.

    Alertmanager puts a note in place of a message that is too long; Telegram
    refuses one with half a tag.
    """
    if len(text) <= limit:
        return text
    kept: list[str] = []
    ends: list[str] = []
    room = limit - 1  # for the sign that something is missing
    for piece in _PIECE.finditer(text):
        closes = f"</{piece['tag']}>" if piece["tag"] else ""
        opens = closes if closes and not piece["end"] else ""
        if piece["end"] and ends and ends[-1] == closes:
            ends.pop()
            room += len(closes)  # was set aside when the tag was opened
        if len(piece[0]) + len(opens) > room:
            break
        kept.append(piece[0])
        room -= len(piece[0]) + len(opens)
        if opens:
            ends.append(opens)
    return "".join([*kept, "…", *reversed(ends)])
