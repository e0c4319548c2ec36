"""Receivers of one service each: what `global` says for them, secrets in files, newer keys."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.config.render import render, render_alerting
from controlplane.notify.options import Receiver
from tests.unit.config.reading import problems, read

GLOBAL = """\
global:
  http_config: {follow_redirects: false}
  opsgenie_api_url: http://ops.test/x
  opsgenie_api_key_file: ops-key
  victorops_api_url: http://vo.test
  victorops_api_key: vo-hunter2
  telegram_api_url: http://tg.test
  telegram_bot_token: tg-hunter2
"""


def file(receiver: str, top: str = "") -> str:
    """Return a configuration whose only receiver has the integrations."""
    return f"{top}route: {{receiver: r}}\nreceivers: [{{name: r, {receiver}}}]\n"


def only(tmp_path: Path, receiver: str, top: str = "") -> Receiver:
    """Return the only receiver of a configuration."""
    return read(tmp_path, file(receiver, top)).receivers[0]


def test_global_speaks_where_an_entry_says_nothing(tmp_path: Path) -> None:
    """Addresses, keys and the HTTP client come from `global`, in a file or not."""
    (tmp_path / "ops-key").write_text("ops-hunter2\n")
    every = (
        "opsgenie_configs: [{}], victorops_configs: [{routing_key: r}], "
        "telegram_configs: [{chat_id: 1}]"
    )
    receiver = only(tmp_path, every, GLOBAL)
    [opsgenie], [victorops], [telegram] = (
        receiver.opsgenie_configs,
        receiver.victorops_configs,
        receiver.telegram_configs,
    )
    assert (opsgenie.api_url, opsgenie.api_key.reveal()) == ("http://ops.test/x", "ops-hunter2")
    assert (victorops.api_url, victorops.api_key.reveal()) == ("http://vo.test", "vo-hunter2")
    assert (telegram.api_url, telegram.bot_token.reveal()) == ("http://tg.test", "tg-hunter2")
    assert not any(each.http_config.follow_redirects for each in (opsgenie, victorops, telegram))


def test_an_entry_speaks_before_global(tmp_path: Path) -> None:
    """What an entry says is not taken from `global`."""
    own = "opsgenie_configs: [{api_key: mine, api_url: 'http://mine.test'}]"
    [opsgenie] = only(tmp_path, own, GLOBAL).opsgenie_configs
    assert (opsgenie.api_url, opsgenie.api_key.reveal()) == ("http://mine.test", "mine")


@pytest.mark.parametrize(
    ("receiver", "reason"),
    [
        ("opsgenie_configs: [{}]", "no api_key, and no opsgenie_api_key in global"),
        ("victorops_configs: [{routing_key: r}]", "no api_key, and no victorops_api_key in global"),
        ("telegram_configs: [{chat_id: 1}]", "no bot_token, and no telegram_bot_token in global"),
        (
            "telegram_configs: [{bot_token: t, chat_id: 1, chat_id_file: f}]",
            "at most one of chat_id & chat_id_file must be configured",
        ),
        (
            "pushover_configs: [{token: t, user_key: u, html: true, monospace: true}]",
            "at most one of monospace & html must be configured",
        ),
        (
            "pushover_configs: [{token: t, token_file: f, user_key: u}]",
            "at most one of token & token_file must be configured",
        ),
        (
            "pushover_configs: [{token: '{{ nothing }}', user_key: u}]",
            "not a valid template",
        ),
        (
            "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]",
            "entity_id is a field of every VictorOps event, and cannot be a custom one",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused(tmp_path: Path, receiver: str, reason: str) -> None:
    """A mistake is told with its reason."""
    [(_, said)] = problems(tmp_path, file(receiver))
    assert said.endswith(reason)


def test_keys_younger_than_0_25_are_taken(tmp_path: Path) -> None:
    """Pushover and Telegram have every key of today's Alertmanager."""
    (tmp_path / "chat").write_text("-100\n")
    receiver = only(
        tmp_path,
        "pushover_configs: [{user_key_file: u, token_file: t, device: d, ttl: 1h, "
        "monospace: true}], "
        "telegram_configs: [{bot_token_file: b, chat_id_file: chat, message_thread_id: 7}]",
    )
    [pushover], [telegram] = receiver.pushover_configs, receiver.telegram_configs
    assert (pushover.device, pushover.ttl, pushover.monospace) == ("d", 3_600_000, True)
    assert telegram.chat_id_file is not None
    assert (telegram.chat_id_file.reveal(), telegram.message_thread_id) == ("-100", 7)


def test_no_key_of_a_service_is_shown(tmp_path: Path) -> None:
    """Secrets are struck out, in what is shown and in reprs; files are named."""
    config = read(
        tmp_path,
        file(
            "opsgenie_configs: [{}], victorops_configs: [{routing_key: r}], "
            "pushover_configs: [{token: hunter2, user_key: hunter2}], "
            "telegram_configs: [{chat_id: 1}, {bot_token: hunter2, chat_id_file: chat}]",
            GLOBAL,
        ),
    )
    shown = render(config)
    assert "hunter2" not in shown + render_alerting(config) + repr(config)
    assert f"opsgenie_api_key_file: {tmp_path}/ops-key" in shown
    assert f"chat_id_file: {tmp_path}/chat" in shown


def shown_receiver(tmp_path: Path, receiver: str) -> dict[str, Any]:
    shown = yaml.safe_load(render_alerting(read(tmp_path, file(receiver))))
    return dict(shown["receivers"][0])


def test_an_empty_text_is_shown_where_it_says_something(tmp_path: Path) -> None:
    """Left out, the default would take its place."""
    bare = "telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: '', message: ''}]"
    [telegram] = shown_receiver(tmp_path, bare)["telegram_configs"]
    assert (telegram["parse_mode"], telegram["message"]) == ("", "")
    [pushover] = shown_receiver(tmp_path, "pushover_configs: [{token: t, user_key: u}]")[
        "pushover_configs"
    ]
    assert "sound" not in pushover


def test_what_older_programs_refuse_is_left_out(tmp_path: Path) -> None:
    """A younger key is shown to them only where it says something, one of ours never."""
    plain = shown_receiver(tmp_path, "pushover_configs: [{token: t, user_key: u, timeout: 9s}]")
    assert not {"ttl", "monospace", "timeout"} & set(plain["pushover_configs"][0])
    full = shown_receiver(tmp_path, "pushover_configs: [{token: t, user_key: u, ttl: 36h}]")
    assert full["pushover_configs"][0]["ttl"] == "36h"
