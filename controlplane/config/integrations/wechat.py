"""`wechat_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting, secret_template
from controlplane.config.kinds import choice
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.wechat.options import MESSAGE_TYPES, WechatConfig


def wechat_config(defaults: GlobalOptions, check: Check) -> Section[WechatConfig]:
    """Return the section of one entry of `wechat_configs`."""
    text = template(check)
    templates = ("message", "to_user", "to_party", "to_tag", "agent_id")
    return posting(
        "wechat_config",
        WechatConfig,
        defaults,
        {
            "api_secret": Key(secret_template(check, SECRET)),
            "api_secret_file": Key(SECRET_FILE, field="api_secret"),
            "corp_id": Key(text),
            "api_url": Key(URL),
            **{name: Key(text) for name in templates},
            "message_type": Key(choice(*MESSAGE_TYPES)),
        },
        inherits={
            "api_secret": "wechat_api_secret",
            "corp_id": "wechat_api_corp_id",
            "api_url": "wechat_api_url",
        },
    )
