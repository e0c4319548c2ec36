"""The resolver against name servers that answer well, badly, falsely, or not at all."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from controlplane.clock import SystemClock
from controlplane.transport.resolver import Resolution, StubResolver
from tests.unit.transport.nameserver import AAAA, NameServer, Query, name_server, wire

MakeResolver = Callable[..., StubResolver]
HOSTS = "127.0.0.1 localhost  # the usual\n::1 localhost six\nnonsense here\n192.0.2.7 Web.Test\n"


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[MakeResolver]:
    """Makes resolvers with a hosts file and a resolv.conf of the test's own."""
    made: list[StubResolver] = []
    (tmp_path / "hosts").write_text(HOSTS)

    def resolver(*servers: NameServer | tuple[str, int], conf: str = "") -> StubResolver:
        (tmp_path / "resolv.conf").write_text(conf)
        asked = [one.address if isinstance(one, NameServer) else one for one in servers]
        made.append(
            StubResolver(
                SystemClock(),
                servers=asked,
                hosts=str(tmp_path / "hosts"),
                resolv_conf=str(tmp_path / "resolv.conf"),
            )
        )
        return made[-1]

    yield resolver
    for one in made:
        await one.close()


async def ask(
    resolver: StubResolver,
    host: str,
    *,
    prefer: str = "ip6",
    fallback: bool = True,
    timeout: float = 2.0,
) -> Resolution:
    """Look a name up, within two seconds unless told otherwise."""
    return await resolver.resolve(host, prefer=prefer, fallback=fallback, timeout=timeout)


def both(query: Query) -> list[bytes]:
    return [query.answer("192.0.2.1", "192.0.2.2", "2001:db8::1")]


def nobody(_query: Query) -> list[bytes]:
    return []


@pytest.mark.parametrize(
    ("prefer", "fallback", "address", "version"),
    [
        ("ip6", True, "2001:db8::1", 6),
        ("ip4", True, "192.0.2.1", 4),
        ("ip6", False, "2001:db8::1", 6),
        ("ip4", False, "192.0.2.1", 4),
    ],
)
async def test_preferred_version(
    make: MakeResolver, prefer: str, fallback: bool, address: str, version: int
) -> None:
    """Of two kinds of addresses the preferred one is taken, its first record."""
    async with name_server(both) as server:
        found = await ask(make(server), "a.test", prefer=prefer, fallback=fallback)
    assert (found.address, found.version, found.error) == (address, version, "")
    assert found.seconds > 0
    assert {query.kind for query in server.queries} <= {1, 28}
    assert len(server.queries) == (2 if fallback else 1)


async def test_other_version_serves_with_fallback_only(make: MakeResolver) -> None:
    """A name that has only IPv4 is found by who prefers IPv6, unless he wants nothing else."""
    async with name_server(lambda query: [query.answer("192.0.2.1")]) as server:
        found = await ask(make(server), "a.test")
        strict = await ask(make(server), "a.test", fallback=False)
    assert found.address == "192.0.2.1"
    assert strict.error == "no such host: a.test"


async def test_each_lookup_asks_anew(make: MakeResolver) -> None:
    """Nothing is remembered: the answer of now counts."""
    addresses = iter(("192.0.2.1", "192.0.2.2"))
    async with name_server(lambda query: [query.answer(next(addresses))]) as server:
        resolver = make(server)
        found = [(await ask(resolver, "a.test", prefer="ip4", fallback=False)) for _ in range(2)]
    assert [one.address for one in found] == ["192.0.2.1", "192.0.2.2"]


async def test_cut_off_answer_is_asked_for_by_tcp(make: MakeResolver) -> None:
    """A truncated answer is had whole over TCP."""

    def reply(query: Query) -> list[bytes]:
        if query.by_tcp:
            return [query.answer("192.0.2.9")]
        return [query.answer("192.0.2.1", truncated=True)]

    async with name_server(reply) as server:
        found = await ask(make(server), "a.test", prefer="ip4", fallback=False)
    assert found.address == "192.0.2.9"
    assert [query.by_tcp for query in server.queries] == [False, True]


async def test_cut_off_answer_without_tcp(make: MakeResolver) -> None:
    """Where TCP is refused the next server is asked, and in the end the error says so."""
    async with (
        name_server(lambda query: [query.answer(truncated=True)], tcp=False) as cut,
        name_server(both) as whole,
    ):
        found = await ask(make(cut, whole), "a.test")
        lost = await ask(make(cut), "a.test")
    assert found.address == "2001:db8::1"
    assert "refuses queries" in lost.error
    assert not lost.timed_out


async def test_false_answers_by_tcp_are_refused(make: MakeResolver) -> None:
    """Over TCP too an answer must carry the number of its question."""

    def reply(query: Query) -> list[bytes]:
        if not query.by_tcp:
            return [query.answer(truncated=True)]
        return [query.answer("192.0.2.66", identifier=query.identifier ^ 1)]

    async with name_server(reply) as server:
        found = await ask(make(server), "a.test", prefer="ip4", fallback=False)
    assert found.error


async def test_name_that_does_not_exist(make: MakeResolver) -> None:
    """NXDOMAIN is an answer: no other server is asked, and it is not a time-out."""
    async with (
        name_server(lambda query: [query.answer(code=3)]) as server,
        name_server(both) as other,
    ):
        found = await ask(make(server, other), "gone.test")
    assert (found.error, found.timed_out) == ("no such host: gone.test", False)
    assert other.queries == []


@pytest.mark.parametrize("code", [1, 2, 5])
async def test_failing_server_gives_way_to_the_next(make: MakeResolver, code: int) -> None:
    """FORMERR, SERVFAIL and REFUSED say nothing about the name; with no server left they tell."""
    async with (
        name_server(lambda query: [query.answer(code=code)]) as bad,
        name_server(both) as good,
    ):
        found = await ask(make(bad, good), "a.test")
        lost = await ask(make(bad), "a.test")
    assert found.address == "2001:db8::1"
    assert lost.error == f"name server 127.0.0.1 answers with code {code}"
    assert not lost.timed_out


async def test_silent_server_costs_its_patience_only(make: MakeResolver) -> None:
    """After the time-out of resolv.conf the next server is asked."""
    async with name_server(nobody) as silent, name_server(both) as good:
        found = await ask(make(silent, good, conf="options timeout:1 attempts:1"), "a.test")
    assert found.address == "2001:db8::1"
    assert 0.9 < found.seconds < 2


async def test_silence_ends_with_the_deadline(make: MakeResolver) -> None:
    """Nobody answers: the lookup takes what it was given, and tells that it timed out."""
    async with name_server(nobody) as silent:
        resolver = make(silent)
        found = await ask(resolver, "a.test", timeout=0.2)
    assert (found.address, found.timed_out) == ("", True)
    assert 0.15 < found.seconds < 1
    assert resolver.under_way == 0


async def test_silent_lookups_hold_no_other_up(make: MakeResolver) -> None:
    """Many names whose server is silent do not slow one that is answered."""

    def reply(query: Query) -> list[bytes]:
        return [] if query.name.startswith("silent") else both(query)

    async with name_server(reply) as server:
        resolver = make(server)
        waiting = [
            asyncio.create_task(ask(resolver, f"silent{number}.test", timeout=0.5))
            for number in range(50)
        ]
        await asyncio.sleep(0)  # noqa: TID251 - lets them all ask first
        found = await ask(resolver, "a.test")
        ended = await asyncio.gather(*waiting)
    assert found.address == "2001:db8::1"
    assert found.seconds < 0.4
    assert all(one.timed_out for one in ended)


async def test_refused_port_is_told_at_once(make: MakeResolver) -> None:
    """A server whose port is closed is not waited for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
    found = await ask(make(address), "a.test")
    assert found.error
    assert not found.timed_out
    assert found.seconds < 1


async def test_false_answers_are_passed_over(make: MakeResolver) -> None:
    """Wrong number, wrong question, no answer, or rubbish: the true one is waited for."""

    def reply(query: Query) -> list[bytes]:
        false = "192.0.2.66"
        other = wire("b.test") + query.message[-4:]
        question = bytearray(query.answer(false))
        question[2] &= 0x7F  # a query, not a response
        return [
            query.answer(false, identifier=query.identifier ^ 0x5555),
            query.answer(false, question=other),
            bytes(question),
            b"",
            query.message[:2],
            query.answer(false)[:-3],
            query.answer("192.0.2.1"),
        ]

    async with name_server(reply) as server:
        found = await ask(make(server), "a.test", prefer="ip4", fallback=False)
    assert found.address == "192.0.2.1"


async def test_answers_from_elsewhere_do_not_arrive(make: MakeResolver) -> None:
    """A stranger's packet with all the right contents comes from the wrong address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))

        def reply(query: Query) -> list[bytes]:
            stranger.sendto(query.answer("192.0.2.66"), query.source)
            return [query.answer("192.0.2.1")]

        async with name_server(reply) as server:
            found = await ask(make(server), "a.test", prefer="ip4", fallback=False)
    assert found.address == "192.0.2.1"


async def test_numbers_of_queries_are_random(make: MakeResolver) -> None:
    """Nobody can tell the next query's number from the last ones."""
    async with name_server(both) as server:
        resolver = make(server)
        for _ in range(64):
            await ask(resolver, "a.test", prefer="ip4", fallback=False)
    numbers = [query.identifier for query in server.queries]
    assert len(set(numbers)) > 60
    assert len({b - a for a, b in pairwise(numbers)}) > 60
    assert min(numbers) < 0x4000 < 0xC000 < max(numbers)


async def test_chain_of_aliases(make: MakeResolver) -> None:
    """Addresses behind a CNAME are the name's own; an alias to nowhere has none."""
    async with name_server(lambda query: [query.answer("192.0.2.1", alias="b.test")]) as server:
        found = await ask(make(server), "a.test")
    async with name_server(lambda query: [query.answer(alias="b.test")]) as server:
        dangling = await ask(make(server), "a.test")
    assert found.address == "192.0.2.1"
    assert dangling.error == "no such host: a.test"


@pytest.mark.parametrize(
    ("host", "conf", "asked"),
    [
        ("a", "search x.test y.test", ["a.x.test", "a.y.test", "a"]),
        ("a.b", "search x.test", ["a.b", "a.b.x.test"]),
        ("a.b", "search x.test\noptions ndots:2", ["a.b.x.test", "a.b"]),
        ("a.", "search x.test", ["a"]),
        ("a", "domain d.test", ["a.d.test", "a"]),
    ],
)
async def test_search_domains(make: MakeResolver, host: str, conf: str, asked: list[str]) -> None:
    """Short names are tried in the search domains, by the rule of ndots."""
    async with name_server(lambda query: [query.answer(code=3)]) as server:
        found = await ask(make(server, conf=conf), host)
    assert found.error
    assert server.asked() == asked


async def test_first_candidate_with_an_address_is_taken(make: MakeResolver) -> None:
    """What a search domain knows needs no further question."""

    def reply(query: Query) -> list[bytes]:
        return both(query) if query.name == "a.y.test" else [query.answer(code=3)]

    async with name_server(reply) as server:
        found = await ask(make(server, conf="search x.test y.test z.test"), "a")
    assert found.address == "2001:db8::1"
    assert server.asked() == ["a.x.test", "a.y.test"]


@pytest.mark.parametrize(
    ("host", "prefer", "fallback", "address"),
    [
        ("localhost", "ip6", True, "::1"),
        ("LOCALHOST.", "ip4", True, "127.0.0.1"),
        ("web.test", "ip6", True, "192.0.2.7"),
        ("web.test", "ip6", False, ""),
        ("10.1.2.3", "ip6", True, "10.1.2.3"),
        ("10.1.2.3", "ip6", False, ""),
        ("2001:db8::5", "ip4", True, "2001:db8::5"),
    ],
)
async def test_hosts_file_and_literals_ask_nobody(
    make: MakeResolver, host: str, prefer: str, fallback: bool, address: str
) -> None:
    """What the hosts file names, and what is an address, is known at once."""
    async with name_server(both) as server:
        found = await ask(make(server), host, prefer=prefer, fallback=fallback)
    assert (found.address, found.seconds) == (address, 0.0)
    assert bool(found.error) is not bool(address)
    assert server.queries == []


async def test_slow_preferred_version_does_not_lose_the_other(make: MakeResolver) -> None:
    """Where only one of the two questions is answered, its address serves at the deadline."""

    def reply(query: Query) -> list[bytes]:
        return [] if query.kind == AAAA else both(query)

    async with name_server(reply) as server:
        found = await ask(make(server), "a.test", timeout=0.3)
    assert found.address == "192.0.2.1"


@pytest.mark.parametrize("host", ["", "a..b", "a" * 64 + ".test", ".".join(["abcdefgh"] * 40)])
async def test_names_that_cannot_be_asked(make: MakeResolver, host: str) -> None:
    """A name that no message can hold is an error, and nobody is asked."""
    async with name_server(both) as server:
        found = await ask(make(server), host)
    assert found.error
    assert server.queries == []


async def test_international_names_are_asked_in_ascii(make: MakeResolver) -> None:
    """A name beyond ASCII goes out as IDNA has it."""
    async with name_server(both) as server:
        found = await ask(make(server), "bücher.test")
    assert found.address
    assert server.asked() == ["xn--bcher-kva.test"]


async def test_closing_ends_what_is_under_way(make: MakeResolver) -> None:
    """Lookups do not outlive their resolver's sockets, nor open new ones."""
    async with name_server(nobody) as server:
        resolver = make(server, conf="options timeout:1 attempts:2")
        task = asyncio.create_task(ask(resolver, "a.test", timeout=5.0))
        await SystemClock().sleep(0.1)  # the queries are on their way
        await resolver.close()
        found, late = await task, await ask(resolver, "b.test")
    assert found.error.endswith("the resolver is closed")
    assert late.error.endswith("the resolver is closed")
    assert server.asked() == ["a.test"]
