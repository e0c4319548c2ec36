"""docker-compose.yml: valid, closed to the outside, bounded, and told where its files are."""

import ipaddress
import re
import subprocess
import sys
from typing import Any, Final

import pytest

from tests.stack.files import ROOT, compose, mounts, services

# These end, or fail as a part of their story.
_NOT_JUDGED: Final = {"migrate", "sample-services"}
_PROFILES: Final = {
    "sample-services": "demo",
    "watchdog": "watchdog",
}
_SECRET_NAME: Final = re.compile(r"PASSWORD|TOKEN|SECRET|KEY|CREDENTIAL")
_PINNED: Final = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?\Z")

each = pytest.mark.parametrize("name", services())


def test_it_is_valid() -> None:
    """The schema of the Compose specification knows every key."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    file = str(ROOT / "docker-compose.yml")
    done = subprocess.run([*words, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_find_a_mistake(tmp_path: Any) -> None:
    """A key that there is not is refused: the check checks."""
    text = (ROOT / "docker-compose.yml").read_text().replace("stop_grace_period", "grace_period")
    (tmp_path / "compose.yml").write_text(text)
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    file = str(tmp_path / "compose.yml")
    done = subprocess.run([*words, file], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "grace_period" in done.stdout


@each
def test_nothing_is_published_beyond_loopback(name: str) -> None:
    """Each port names a loopback address, and none is published otherwise."""
    service = services()[name]
    assert service.get("network_mode") is None
    for port in service.get("ports", []):
        assert ipaddress.ip_address(port.split(":")[0]).is_loopback, port


@each
def test_images_are_pinned(name: str) -> None:
    """To a version; what is ours is built from the checkout."""
    service = services()[name]
    if "build" in service:
        assert service["image"] == "controlplane:local"
    else:
        assert _PINNED.match(service["image"]), service["image"]


@each
def test_each_has_bounds(name: str) -> None:
    """Processor, memory and log are bounded, and it is started again unless it has to end."""
    service = services()[name]
    assert {"cpus", "memory"} == service["deploy"]["resources"]["limits"].keys()
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


@each
def test_each_can_do_no_more_than_it_must(name: str) -> None:
    """No new privileges, no capabilities, a root file system that is only read."""
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert name == "postgres" or "cap_add" not in service


@each
def test_each_is_judged(name: str) -> None:
    """A health check says when it is of use, and who needs it waits for that."""
    service = services()[name]
    assert ("disable" in service["healthcheck"]) == (name in _NOT_JUDGED)
    for needed, how in service.get("depends_on", {}).items():
        judged = needed not in _NOT_JUDGED
        wanted = {"service_healthy", "service_started"} if judged else set()
        assert how["condition"] in wanted | {"service_completed_successfully"}


@each
def test_profiles_are_for_what_not_everybody_needs(name: str) -> None:
    """Without one the rest runs; what always runs needs nothing of a profile."""
    service = services()[name]
    assert service.get("profiles", []) == ([_PROFILES[name]] if name in _PROFILES else [])
    assert name in _PROFILES or not _PROFILES.keys() & service.get("depends_on", {}).keys()


def test_secrets_come_by_file() -> None:
    """No variable holds one; each is declared, used, and kept out of the repository."""
    used: set[str] = set()
    for name, service in services().items():
        used |= set(service.get("secrets", []))
        for variable in service.get("environment", {}):
            spoken = variable.removesuffix("_FILE")
            assert spoken != variable or not _SECRET_NAME.search(variable), (name, variable)
    declared = compose()["secrets"]
    assert used == declared.keys()
    assert all(each["file"].startswith("deploy/secrets/") for each in declared.values())
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_secrets_are_made_once(tmp_path: Any) -> None:
    """What `make stack-secrets` makes is what compose asks for; a second run changes nothing."""
    words = ["sh", str(ROOT / "deploy/secrets.sh"), str(tmp_path / "secrets")]
    subprocess.run(words, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    # Where the watchdog calls is for its owner to say.
    assert made.keys() == compose()["secrets"].keys() - {"watchdog_slack_url"}
    assert made["postgres_password"] in made["storage_url"]
    assert made["redis_password"] in made["cluster_url"]
    assert len({text for name, text in made.items() if not name.endswith("_url")}) == 4
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run(words, check=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_volumes_are_named() -> None:
    """Each named volume is somebody's, and each somebody's is declared; the rest is read only."""
    named: set[str] = set()
    for service in services().values():
        for volume in service.get("volumes", []):
            source, _, *mode = volume.split(":")
            if source[0] not in "./":
                named.add(source)
            else:
                assert mode == ["ro"], volume
    assert named == compose()["volumes"].keys()


@each
def test_what_is_mounted_is_there(name: str) -> None:
    """A path that is missing would become an empty directory."""
    assert [path for path in mounts(services()[name]) if not (ROOT / path).exists()] == []


def test_the_database_and_docker_are_apart() -> None:
    """Only who needs them shares a network with them, and those networks lead nowhere."""
    members = {network: set[str]() for network in compose()["networks"]}
    for name, service in services().items():
        for network in service["networks"]:
            members[network].add(name)
    assert members["database"] == {
        "postgres",
        "redis",
        "migrate",
        "controlplane-1",
        "controlplane-2",
    }
    assert members["docker"] == {"docker-api", "alloy"}
    assert all(compose()["networks"][name]["internal"] for name in ("database", "docker"))
    assert services()["docker-api"]["environment"]["POST"] == 0
