"""WeChat messages: a text or markdown, and whom it is for."""

from typing import Any

from controlplane.notify.integrations.wechat.options import WechatConfig
from controlplane.notify.rendering import Render


def message(config: WechatConfig, render: Render) -> dict[str, Any]:
    """Return the body of one message; recipients that are empty are left out."""
    content = render(config.message)
    recipients = {
        "touser": render(config.to_user),
        "toparty": render(config.to_party),
        "totag": render(config.to_tag),
        "agentid": render(config.agent_id),
    }
    return {
        "text": {"content": content if config.message_type == "text" else ""},
        "markdown": {"content": content if config.message_type == "markdown" else ""},
        **{name: value for name, value in recipients.items() if value},
        "safe": "0",
        "msgtype": config.message_type,
    }
