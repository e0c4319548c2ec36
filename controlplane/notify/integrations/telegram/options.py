"""`telegram_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS
from controlplane.transport.options import HTTPClientConfig

TELEGRAM_API_URL: Final = "https://api.telegram.org"
_PARSE_MODES: Final = ("Markdown", "MarkdownV2", "HTML", "")


@dataclass(frozen=True, slots=True)
class TelegramConfig:
    """One entry of `telegram_configs`. `message` alone is a template.

    Either `chat_id` or the file that `chat_id_file` stands for holds the number
    of the chat. `message_thread_id` is a topic of a forum, 0 for none. What
    values bring into a message in HTML is escaped.
    """

    bot_token: Secret
    send_resolved: bool = True
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: str = TELEGRAM_API_URL
    chat_id: int = 0
    chat_id_file: Secret | None = None
    message_thread_id: int = 0
    message: str = '{{ template "telegram.default.message" . }}'
    disable_notifications: bool = False
    parse_mode: str = "HTML"
    timeout: Duration = 0

    def __post_init__(self) -> None:
        if not self.chat_id and self.chat_id_file is None:
            raise InvalidInput("missing chat_id or chat_id_file in Telegram configuration")
        if self.chat_id and self.chat_id_file is not None:
            raise InvalidInput("at most one of chat_id & chat_id_file must be configured")
        if self.parse_mode not in _PARSE_MODES:
            raise InvalidInput(
                "parse_mode must be Markdown, MarkdownV2, HTML or empty", pointer="/parse_mode"
            )
