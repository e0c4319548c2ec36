"""`remote_write` and `datasource`: upstream's keys and defaults, and what is refused."""

from pathlib import Path

from controlplane.config.config import Config
from controlplane.config.render import render
from controlplane.model.duration import DAY, MINUTE, SECOND
from controlplane.model.relabel import Action
from controlplane.tsdb.remote.options import Datasource, RemoteWriteSettings, WriteMessage
from tests.unit.config.reading import problems, read

SECRET = "hunter2"


def test_upstreams_defaults(tmp_path: Path) -> None:
    """A receiver with a URL only is as in Prometheus, but for patience with a 429."""
    (remote,) = read(tmp_path, "remote_write: [{url: http://there/write}]").remote_write
    queue, metadata = remote.queue_config, remote.metadata_config
    assert (remote.remote_timeout, remote.protobuf_message) == (30 * SECOND, WriteMessage.V1)
    assert (queue.capacity, queue.max_shards, queue.max_samples_per_send) == (10_000, 50, 2_000)
    assert (queue.min_backoff, queue.max_backoff) == (30, 5 * SECOND)
    assert queue.retry_on_http_429
    assert (metadata.send, metadata.send_interval) == (True, MINUTE)
    assert not remote.http_client.enable_http2


def test_every_key(tmp_path: Path) -> None:
    """What is written arrives, and secrets are not shown."""
    config = read(
        tmp_path,
        f"""
global: {{external_labels: {{cluster: a}}}}
remote_write:
- url: http://there/write
  name: far
  remote_timeout: 5s
  headers: {{X-Scope-OrgID: shop}}
  write_relabel_configs: [{{action: drop, source_labels: [job], regex: x}}]
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: false
  send_native_histograms: true
  basic_auth: {{username: u, password: {SECRET}}}
  queue_config: {{capacity: 500, max_shards: 4, min_shards: 2, sample_age_limit: 1h}}
  metadata_config: {{send: false}}
remote_write_settings: {{max_size: 1GB, max_age: 0s}}
datasource: {{url: http://there, timeout: 5s, params: {{dedup: ["true"]}}, concurrency: 2}}
rule_settings:
- {{match: {{group: a}}, datasource: local}}
- {{match: {{group: b}}, datasource: {{url: http://other}}}}
""",
    )
    (remote,) = config.remote_write
    assert (remote.key, dict(remote.headers)) == ("far", {"X-Scope-OrgID": "shop"})
    assert remote.write_relabel_configs[0].action is Action.DROP
    assert remote.protobuf_message is WriteMessage.V2
    assert remote.send_native_histograms
    assert (remote.queue_config.min_shards, remote.http_client.enable_http2) == (2, False)
    options = config.remote_write_options()
    assert options.settings == RemoteWriteSettings(max_size=1 << 30, max_age=0)
    assert dict(options.external_labels) == {"cluster": "a"}
    assert [each.url for each in config.datasources()] == ["http://there", "http://other"]
    assert config.rule_settings[0].datasource == "local"
    assert config.datasource == Datasource(
        "http://there", timeout=5 * SECOND, params={"dedup": ("true",)}, concurrency=2
    )
    assert SECRET not in render(config)
    assert "retry_on_http_429: true" in render(config)


def test_the_bounds_when_nothing_is_said() -> None:
    """A receiver may be away for a day."""
    assert Config().remote_write_options().settings.max_age == DAY


def test_what_is_refused(tmp_path: Path) -> None:
    """By name and line, all at once; what is not there cannot be sent."""
    found = problems(
        tmp_path,
        """remote_write:
- url: http://a
  send_exemplars: true
- url: http://b
  azuread: {cloud: x}
- url: http://c
  sigv4: {region: x}
- url: http://d
  round_robin_dns: true
- url: http://e
  queue_config: {capacity: 0}
- url: http://f
  queue_config: {min_shards: 9, max_shards: 3}
- url: http://g
  headers: {Authorization: x}
- name: h
- url: http://i
  protobuf_message: v2
datasource: {timeout: 3s}
rule_settings:
- {match: {}, datasource: ours}
""",
    )
    assert [(line, reason.split(":")[0]) for line, reason in found] == [
        (3, "send_exemplars"),
        (5, "azuread"),
        (7, "sigv4"),
        (9, "round_robin_dns"),
        (11, "capacity must be at least 1"),
        (13, "min_shards is above max_shards"),
        (15, "setting the header 'Authorization' is not allowed"),
        (16, "remote_write"),
        (18, "protobuf_message"),
        (19, "datasource"),
        (21, "datasource"),
    ]


def test_two_receivers_of_one_name(tmp_path: Path) -> None:
    """Each has its own place in the log, so names differ, and URLs where there are none."""
    text = "remote_write:\n- {url: http://a, name: x}\n- {url: http://b, name: x}\n"
    assert problems(tmp_path, text) == [(3, "remote_write: another has this name 'x' too")]
    text = "remote_write:\n- {url: http://a}\n- {url: http://a}\n"
    assert problems(tmp_path, text) == [(3, "remote_write: another has this url, and no name, too")]
