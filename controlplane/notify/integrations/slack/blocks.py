"""The message of a group as Block Kit: its state, its text, who took it on, and the buttons.

The texts are those that `slack_configs` names; here they get their places, and
are cut to what Slack takes: 50 blocks, 3,000 characters a section, 150 a
header, 75 a button, and what the blocks of a message may have together.
"""

from collections.abc import Sequence
from typing import Any, Final

from controlplane.clock import Timestamp
from controlplane.model.duration import MINUTE, SECOND, format_duration, format_time
from controlplane.notify.integrations.slack.options import SlackAction, SlackConfig
from controlplane.notify.integrations.slack.render import MAX_ACTIONS, MAX_FIELDS
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, truncate
from controlplane.notify.silenced import Quiet, Silenced

MAX_HEADER: Final = 150
MAX_SECTION: Final = 3_000
MAX_BUTTON: Final = 75
MAX_VALUE: Final = 2_000
MAX_URL: Final = 3_000
# Slack refuses a message whose blocks hold more than some 13,000 characters
# together: these shares stay below it.
_MOST_TITLE: Final = 500
_MOST_LINK: Final = 1_500
_MOST_PRETEXT: Final = 300
_MOST_TEXT: Final = 5_000
_MOST_FIELD: Final = 250
_MOST_FOOTER: Final = 300
_MOST_WORDS: Final = 100
_MOST_SILENCES: Final = 3

# What the buttons do: the id of each, what it says, and for how long it silences; None means
# until the alerts have ended.
BUTTONS: Final = (
    ("acknowledge", "Acknowledge", None),
    ("silence_1h", "Silence 1 h", 60 * MINUTE),
    ("silence_4h", "Silence 4 h", 240 * MINUTE),
)


def blocks(
    notification: Notification, config: SlackConfig, render: Render, quiet: Quiet
) -> list[dict[str, Any]]:
    """Return the blocks of the group's one message."""
    title, link = truncate(render(config.title), _MOST_TITLE), render(config.title_link)
    pretext = truncate(render(config.pretext), _MOST_PRETEXT)
    linked = f"*<{link}|{title}>*" if link and len(link) <= _MOST_LINK else f"*{title}*"
    return [
        {"type": "header", "text": _plain(state(notification), MAX_HEADER)},
        *([_section(pretext)] if pretext else ()),
        *([_section(linked)] if title else ()),
        *(_section(part) for part in _parts(render(config.text))),
        *_fields(config, render),
        *_image(config, render),
        *_context(taken(quiet)),
        *_context([truncate(render(config.footer), _MOST_FOOTER), _missing(config)]),
        *_buttons(notification, config, render),
    ]


def state(notification: Notification) -> str:
    """Return how it stands: how many fire, how many have ended, and for how long it has gone on."""
    at, alerts = notification.content.at, notification.content.alerts
    firing, since = len(notification.firing), min((a.starts_at for a in alerts), default=0)
    ended = len(alerts) - firing
    until = at if firing else max((min(a.ends_at, at) for a in alerts), default=at)
    sign = ":red_circle:" if firing else ":large_green_circle:"
    counts = [f"{firing} firing"] if firing else []
    counts += [f"{ended} resolved"] if ended else []
    lasting = "for" if firing else "after"
    return f"{sign} {', '.join(counts)} {lasting} {_rough(until - since)}"


def taken(quiet: Quiet) -> list[str]:
    """Return who has acknowledged or silenced how much of a group, a line for each silence."""
    lines = [_taken(silence, alerts, quiet) for silence, alerts in quiet.silences[:_MOST_SILENCES]]
    missing = len(quiet.silences) - len(lines)
    return [*lines, f"… and {missing} more silences"] if missing else lines


def instant(at: Timestamp) -> str:
    """Return a time that Slack shows in the zone of whoever reads it."""
    return f"<!date^{at // 1000}^{{date_short_pretty}} {{time}}|{format_time(at // 1000 * 1000)}>"


def escape(text: str) -> str:
    """Return a text in which Slack finds no markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _taken(silence: Silenced, alerts: int, quiet: Quiet) -> str:
    who = escape(truncate(silence.author, _MOST_WORDS))
    part = "" if alerts == quiet.firing else f" ({alerts} of {quiet.firing})"
    if silence.acknowledges:
        return f":eyes: Acknowledged by *{who}*{part} until it has ended"
    words = escape(truncate(silence.comment, _MOST_WORDS))
    until = f"until {instant(silence.until)}: {words}"
    return f":no_bell: Silenced by *{who}*{part} {until}"


def _rough(duration: int) -> str:
    """Return a duration in its two largest units or so: nobody counts the seconds of an hour."""
    unit = SECOND if duration < 5 * MINUTE else MINUTE
    return format_duration(max(0, duration) // unit * unit)


def _parts(text: str) -> list[str]:
    """Return a text in sections, broken at the ends of lines where that is possible."""
    left, parts = truncate(text.strip(), _MOST_TEXT), []
    while len(left) > MAX_SECTION:
        end = left.rfind("\n", 1, MAX_SECTION + 1)
        end = MAX_SECTION if end < 1 else end
        parts.append(left[:end])
        left = left[end:].lstrip("\n")
    return [*parts, left] if left.strip() else parts


def _fields(config: SlackConfig, render: Render) -> list[dict[str, Any]]:
    """Return the fields; where they are too many, the last says how many are missing."""
    fits = len(config.fields) <= MAX_FIELDS
    shown = config.fields if fits else config.fields[: MAX_FIELDS - 1]
    texts = [
        truncate(f"*{render(field.title)}*\n{render(field.value)}", _MOST_FIELD) for field in shown
    ]
    if not fits:
        texts.append(f"*…*\nand {len(config.fields) - len(shown)} more fields")
    return [{"type": "section", "fields": [_mrkdwn(text) for text in texts]}] if texts else []


def _image(config: SlackConfig, render: Render) -> list[dict[str, Any]]:
    url = render(config.image_url)
    if not url or len(url) > MAX_URL:
        return []
    return [{"type": "image", "image_url": url, "alt_text": "a picture of what is told"}]


def _context(lines: Sequence[str]) -> list[dict[str, Any]]:
    elements = [_mrkdwn(line) for line in lines if line]
    return [{"type": "context", "elements": elements}] if elements else []


def _buttons(
    notification: Notification, config: SlackConfig, render: Render
) -> list[dict[str, Any]]:
    """Return the row of buttons: what is ours while something fires, and the configured ones."""
    ours = [
        _button(name, says, value=notification.incident_id)
        for name, says, _ in BUTTONS
        if notification.firing
    ]
    configured = [
        _configured(place, action, render)
        for place, action in enumerate(config.actions[:MAX_ACTIONS])
    ]
    elements = [*ours, *configured]
    return [{"type": "actions", "block_id": "actions", "elements": elements}] if elements else []


def _configured(place: int, action: SlackAction, render: Render) -> dict[str, Any]:
    name = f"configured/{place}/{render(action.name)}"
    style = render(action.style)
    if action.url:
        return _button(name, render(action.text), url=render(action.url), style=style)
    return _button(name, render(action.text), value=render(action.value), style=style)


def _missing(config: SlackConfig) -> str:
    missing = len(config.actions) - MAX_ACTIONS
    return f"… and {missing} more actions" if missing > 0 else ""


def _button(
    name: str, says: str, *, value: str = "", url: str = "", style: str = ""
) -> dict[str, Any]:
    optional = {
        "value": truncate(value, MAX_VALUE),
        "url": url if len(url) <= MAX_URL else "",
        "style": style if style in ("primary", "danger") else "",
    }
    return {
        "type": "button",
        "action_id": truncate(name, 255),
        "text": _plain(says, MAX_BUTTON),
        **{key: held for key, held in optional.items() if held},
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": truncate(text, most) or "…", "emoji": True}
