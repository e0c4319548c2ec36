"""`wechat_configs`."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.options import HTTP_DEFAULTS, required
from controlplane.transport.options import HTTPClientConfig

WECHAT_API_URL: Final = "https://qyapi.weixin.qq.com/cgi-bin/"
MESSAGE_TYPES: Final = ("text", "markdown")


@dataclass(frozen=True, slots=True)
class WechatConfig:
    """One entry of `wechat_configs`. `api_secret` and `corp_id` are templates."""

    corp_id: str
    api_secret: Secret
    send_resolved: bool = False
    http_config: HTTPClientConfig = HTTP_DEFAULTS
    api_url: str = WECHAT_API_URL
    message: str = '{{ template "wechat.default.message" . }}'
    message_type: str = "text"
    to_user: str = '{{ template "wechat.default.to_user" . }}'
    to_party: str = '{{ template "wechat.default.to_party" . }}'
    to_tag: str = '{{ template "wechat.default.to_tag" . }}'
    agent_id: str = '{{ template "wechat.default.agent_id" . }}'
    timeout: Duration = 0

    def __post_init__(self) -> None:
        required(self, "corp_id", "WeChat")
        if self.message_type not in MESSAGE_TYPES:
            raise InvalidInput(
                f"message_type is none of {', '.join(MESSAGE_TYPES)}", pointer="/message_type"
            )
