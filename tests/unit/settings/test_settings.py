"""The environment, read."""

from pathlib import Path

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.share import Role
from controlplane.settings.parsing import Listen, listen, size
from controlplane.settings.settings import VARIABLES, Settings, read_settings


def refusal(environ: dict[str, str], arguments: dict[str, str | None] | None = None) -> str:
    """Return why an environment is refused."""
    with pytest.raises(InvalidInput) as caught:
        read_settings(environ, arguments)
    return caught.value.reason


def test_nothing_set_is_safe() -> None:
    """Without any variable the service is for this machine alone."""
    settings = read_settings({})
    assert settings == Settings()
    assert (str(settings.listen), settings.api_token) == ("127.0.0.1:8080", None)
    assert settings.external_url == "http://127.0.0.1:8080"


def test_every_variable_fills_its_field() -> None:
    """Texts become values of the right type."""
    settings = read_settings(
        {
            "CONTROLPLANE_LISTEN": "[::1]:9000",
            "CONTROLPLANE_EXTERNAL_URL": "https://mon.example.org/cp/",
            "CONTROLPLANE_DATA_DIR": "/var/lib/cp",
            "CONTROLPLANE_LOG_LEVEL": "debug",
            "CONTROLPLANE_MAX_BODY": "16MB",
            "CONTROLPLANE_QUERY_TIMEOUT": "30s",
            "CONTROLPLANE_RETENTION": "0",
            "CONTROLPLANE_TRACES_RATIO": "0.25",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        }
    )
    assert settings.listen == Listen("::1", 9000)
    assert settings.external_url == "https://mon.example.org/cp"
    assert settings.data_dir == Path("/var/lib/cp")
    assert (settings.log_level, settings.max_body) == ("DEBUG", 16 << 20)
    assert (settings.query_timeout, settings.retention) == (30_000, 0)
    assert (settings.traces_ratio, settings.otlp_endpoint) == (0.25, "http://collector:4318")


def test_arguments_win_over_the_environment() -> None:
    """What the command line says counts; None says nothing."""
    environ = {"CONTROLPLANE_LISTEN": "127.0.0.1:1", "CONTROLPLANE_DATA_DIR": "a"}
    settings = read_settings(environ, {"listen": "127.0.0.1:2", "data_dir": None})
    assert (settings.listen.port, settings.data_dir) == (2, Path("a"))
    assert refusal({}, {"listen": "x"}).startswith("--listen: 'x': expected host:port")


def test_any_variable_may_stand_in_a_file(tmp_path: Path) -> None:
    """`*_FILE` names a file with the value; white space around it does not count."""
    file = tmp_path / "value"
    file.write_text("127.0.0.1:7\n")
    assert read_settings({"CONTROLPLANE_LISTEN_FILE": str(file)}).listen.port == 7


def test_a_token_in_a_file_is_read_anew(tmp_path: Path) -> None:
    """The API token can be changed without a restart."""
    file = tmp_path / "token"
    file.write_text("first")
    token = read_settings({"CONTROLPLANE_API_TOKEN_FILE": str(file)}).api_token
    assert token is not None
    assert token.reveal() == "first"
    file.write_text("second!")
    assert token.reveal() == "second!"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Each variable that is wrong is named, with what is wanted."""
    reason = refusal(
        {
            "CONTROLPLANE_LISTEN": "nowhere",
            "CONTROLPLANE_LOG_LEVEL": "LOUD",
            "CONTROLPLANE_RETENTION": "soon",
            "CONTROLPLANE_REPLICA": "a",
            "CONTROLPLANE_REPLICA_FILE": "b",
            "CONTROLPLANE_DATA_DIR_FILE": str(tmp_path / "none"),
            "CONTROLPLANE_API_TOKN": "x",
        }
    )
    assert reason.splitlines() == [
        "CONTROLPLANE_API_TOKN: unknown variable; did you mean CONTROLPLANE_API_TOKEN?",
        "CONTROLPLANE_LISTEN: 'nowhere': expected host:port, such as 127.0.0.1:8080",
        f"CONTROLPLANE_DATA_DIR_FILE: secret file {tmp_path}/none: No such file or directory",
        "at most one of CONTROLPLANE_REPLICA & CONTROLPLANE_REPLICA_FILE can be set",
        "CONTROLPLANE_LOG_LEVEL: 'LOUD': expected one of DEBUG, INFO, WARNING, ERROR",
        "CONTROLPLANE_RETENTION: 'soon': not a valid duration: 'soon' "
        "(write it like 30s, 5m or 1h30m)",
    ]


def test_what_others_set_is_no_mistake() -> None:
    """The client's variable, and what Kubernetes makes of a service called controlplane."""
    environ = {
        "CONTROLPLANE_URL": "http://127.0.0.1:8080",
        "CONTROLPLANE_SERVICE_HOST": "10.0.0.1",
        "CONTROLPLANE_SERVICE_PORT_HTTP": "80",
        "CONTROLPLANE_PORT": "tcp://10.0.0.1:80",
        "CONTROLPLANE_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert read_settings(environ) == Settings()


def test_secrets_are_never_shown() -> None:
    """The token and the collector's headers are in no repr."""
    environ = {"CONTROLPLANE_API_TOKEN": "hunter2", "OTEL_EXPORTER_OTLP_HEADERS": "a=hunter2"}
    assert "hunter2" not in repr(read_settings(environ))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        (":8080", Listen("", 8080)),
        ("[::]:1", Listen("::", 1)),
        ("localhost:0", Listen("localhost", 0)),
    ],
)
def test_addresses(text: str, expected: Listen) -> None:
    """A port is needed; IPv6 stands in brackets; an empty host is every address."""
    assert listen(text) == expected
    assert listen(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "::1:80", "h:99999", "h:-1", "a b:1", "h:8x"]
)
def test_bad_addresses(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInput):
        listen(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("1024", 1024), ("1KB", 1024), ("2MiB", 2 << 20), ("1GB", 1 << 30)]
)
def test_sizes(text: str, expected: int) -> None:
    """Sizes are powers of 1024."""
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "0", "MB", "1TB", "-1", "1.5MB", "9" * 40])
def test_bad_sizes(text: str) -> None:
    """Zero, fractions and unknown units are refused."""
    with pytest.raises(InvalidInput):
        size(text)


def test_the_table_is_whole() -> None:
    """Every field has one variable, and every variable a field."""
    assert [variable.field for variable in VARIABLES] == list(
        dict.fromkeys(variable.field for variable in VARIABLES)
    )
    assert {variable.field for variable in VARIABLES} == set(Settings.__dataclass_fields__)


def test_proxies_are_addresses_and_networks() -> None:
    """In one spelling each; none of themselves, and nothing that is not one."""
    assert read_settings({}).trusted_proxies == ()
    environ = {"CONTROLPLANE_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}
    assert read_settings(environ).trusted_proxies == ("10.0.0.0/8", "::1/128")
    for wrong in ("*", "10.0.0.1/8", "nginx", "::1,"):
        assert "expected addresses" in refusal({"CONTROLPLANE_TRUSTED_PROXIES": wrong})


def test_roles_are_some_of_four() -> None:
    """A replica does everything, or what it is told; what is no role is refused."""
    assert read_settings({}).roles == frozenset(Role)
    environ = {"CONTROLPLANE_ROLE": "api, Prober"}
    assert read_settings(environ).roles == {Role.API, Role.PROBER}
    assert read_settings(environ, {"roles": "notifier"}).roles == {Role.NOTIFIER}
    assert "--role: 'api,': expected some of api, prober" in refusal({}, {"roles": "api,"})
    assert "CONTROLPLANE_ROLE" in refusal({"CONTROLPLANE_ROLE": "all"})
