"""A member as it stands in Redis, for processes of this version and of others."""

import orjson

from controlplane.cluster.member import read_member, write_member
from controlplane.model.member import Member, Network
from controlplane.model.share import Role

_MEMBER = Member(
    "a",
    "1",
    frozenset({Role.API, Role.PROBER}),
    "http://a:8080",
    7,
    version="1.2.3",
    config_digest="c0ffee",
    network=Network.ISOLATED,
)


def test_a_member_is_read_as_it_was_written() -> None:
    """Nothing of a member is lost on its way through Redis."""
    assert read_member("a", write_member(_MEMBER)) == _MEMBER


def test_a_member_of_an_older_version_is_read() -> None:
    """One that does not say its version and its configuration has neither, nor doubts itself."""
    older = orjson.dumps({"incarnation": "1", "roles": ["api"], "url": "", "joined_at": 7})
    assert read_member("a", older) == Member("a", "1", frozenset({Role.API}), "", 7)


def test_a_member_of_a_later_version_is_read() -> None:
    """Roles and fields that are not known here are passed over."""
    later = {**orjson.loads(write_member(_MEMBER)), "roles": ["api", "oracle"], "mood": "good"}
    assert read_member("a", orjson.dumps(later)).roles == {Role.API}


def test_a_network_that_is_not_known_is_not_doubted() -> None:
    """What a later version says of its network in other words is no reason to take its work."""
    later = {**orjson.loads(write_member(_MEMBER)), "network": "upside down"}
    assert read_member("a", orjson.dumps(later)).network is Network.CONNECTED
