"""Integrations are built from what the configuration read, once."""

from pathlib import Path

from controlplane.app.notifying import Senders
from controlplane.clock import SystemClock
from controlplane.config.loader import load
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver


async def test_template_files_are_read_once(tmp_path: Path) -> None:
    """What was checked when the file was loaded is what messages are made of."""
    texts = tmp_path / "a.tmpl"
    texts.write_text('{{ define "mine" }}checked{{ end }}')
    (tmp_path / "c.yml").write_text(
        "templates: [a.tmpl]\n"
        "route: {receiver: ops}\n"
        "receivers: [{name: ops, webhook_configs: [{url: 'http://x/{{ template \"mine\" . }}'}]}]\n"
    )
    config = load(tmp_path / "c.yml")
    texts.write_text('{{ define "mine" }}{{ broken')
    assert config.template_texts == ((str(texts), '{{ define "mine" }}checked{{ end }}'),)
    clock = SystemClock()
    engine, resolver = Engine(clock), StubResolver(clock)
    client = Client(engine, resolver, OutboundPolicy(()), clock)
    built = Senders("http://cp", HTTPClients(client)).build(config)
    assert [one.name for one in built["ops"]] == ["webhook/0"]
    for one in built["ops"]:
        await one.close()
    await client.close()
    await resolver.close()
