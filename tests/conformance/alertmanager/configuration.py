"""One configuration that both read."""

from typing import Any, Final

CONFIGURATION: Final[dict[str, Any]] = {
    "route": {
        "receiver": "default",
        "group_by": ["alertname"],
        "group_wait": "1s",
        "group_interval": "10s",
        "routes": [
            {
                "receiver": "db",
                "matchers": ['team="db"'],
                "group_by": ["alertname", "cluster"],
                "continue": True,
            },
            {"receiver": "pager", "matchers": ['severity="critical"'], "group_by": ["cluster"]},
            {"receiver": "all", "matchers": ['team="all"'], "group_by": ["..."]},
        ],
    },
    "receivers": [
        {"name": "default"},
        {"name": "db"},
        {"name": "pager"},
        {"name": "all", "webhook_configs": [{"url": "http://127.0.0.1:9/hidden"}]},
    ],
    "inhibit_rules": [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["cluster"],
        }
    ],
}
