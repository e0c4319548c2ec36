"""Who is admitted."""

from collections.abc import Callable

import pytest

from controlplane.auth.guard import Guard, Request
from controlplane.auth.loopback import check_listen, is_loopback
from controlplane.auth.principals import ANONYMOUS, LOCAL, TOKEN_HOLDER
from controlplane.errors import Forbidden, Unauthorized, Unavailable
from controlplane.model.secret import Secret

HOST = {"host": "localhost:8080"}
FORM = "application/x-www-form-urlencoded"


def local(method: str = "GET", client: str = "127.0.0.1", **headers: str) -> Request:
    """Return a request of this machine; header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, HOST | named, client)


def refused(guard: Guard, request: Request) -> str:
    """Return why a request is forbidden."""
    with pytest.raises(Forbidden) as caught:
        guard.admit(request)
    return str(caught.value)


def gone() -> str:
    """Stand for a token file that is not there."""
    raise Unavailable("gone")


class TestWithoutToken:
    """The service is for this machine alone."""

    guard = Guard()

    @pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
    def test_this_machine_may_ask(self, client: str) -> None:
        """Every loopback address is this machine."""
        assert self.guard.admit(local(client=client)) == LOCAL

    @pytest.mark.parametrize(
        "client", ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1%lo", "", "testclient"]
    )
    def test_nobody_else_may(self, client: str) -> None:
        """Neither other addresses nor unknown ones."""
        assert "only this machine" in refused(self.guard, local(client=client))

    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "app.localhost:1", "localhost.:80"]
    )
    def test_own_hosts(self, host: str) -> None:
        """Names and addresses that can only be this machine are its own."""
        assert self.guard.admit(local(host=host)) == LOCAL

    @pytest.mark.parametrize(
        "host",
        ["", "evil.example", "localhost.evil.example", "x@localhost", "localhost/x", "[::1", "a:b"],
    )
    def test_a_rebound_name_is_refused(self, host: str) -> None:
        """A page whose name was made to point here does not get an answer."""
        assert "Host" in refused(self.guard, local(host=host))

    @pytest.mark.parametrize("origin", ["http://localhost:8080", "http://LOCALHOST:8080"])
    def test_own_pages_may_ask(self, origin: str) -> None:
        """The origin of our own pages is admitted."""
        assert self.guard.admit(local(origin=origin)) == LOCAL

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            "",
            "http://localhost:3000",
            "http://localhost",
            "http://[",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_foreign_pages_are_refused(self, origin: str, method: str) -> None:
        """Another site, another port, an opaque origin: all foreign, whatever they ask."""
        assert "elsewhere" in refused(self.guard, local(method, origin=origin))

    @pytest.mark.parametrize(
        "content_type",
        [FORM, f"{FORM}; charset=utf-8", "multipart/form-data; boundary=x", "TEXT/plain", ""],
    )
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_a_form_needs_its_token(self, content_type: str, method: str) -> None:
        """What a browser sends without asking first is taken only with the CSRF token."""
        headers = {"content_type": content_type, "content_length": "3"}
        assert "CSRF" in refused(self.guard, local(method, **headers))
        assert "CSRF" in refused(self.guard, local(method, x_csrf_token="guess", **headers))
        good = local(method, x_csrf_token=self.guard.csrf_token, **headers)
        assert self.guard.admit(good) == LOCAL

    def test_a_token_within_the_form(self) -> None:
        """The token may come as a field of the form, which whoever parsed it hands over."""
        headers = HOST | {"content-type": FORM, "content-length": "3"}
        request = Request("POST", headers, "::1", csrf_token=self.guard.csrf_token)
        assert self.guard.admit(request) == LOCAL

    def test_a_chunked_form_is_a_form(self) -> None:
        """A body without a length is not an empty one."""
        request = local("POST", content_type="text/plain", transfer_encoding="chunked")
        assert "CSRF" in refused(self.guard, request)

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/merge-patch+json; charset=utf-8",
            "application/x-protobuf",
        ],
    )
    def test_programs_need_no_csrf_token(self, content_type: str) -> None:
        """Types that browsers ask for first are taken."""
        assert (
            self.guard.admit(local("POST", content_type=content_type, content_length="3")) == LOCAL
        )

    def test_an_empty_write_is_taken(self) -> None:
        """A POST without a body, such as a renewal, is in order."""
        assert self.guard.admit(local("POST")) == LOCAL
        assert self.guard.admit(local("POST", content_length="0", content_type=FORM)) == LOCAL

    def test_a_query_by_form_is_a_read(self) -> None:
        """Prometheus' clients POST their queries as forms."""
        headers = HOST | {"content-type": FORM, "content-length": "9"}
        assert self.guard.admit(Request("POST", headers, "127.0.0.1", reads=True)) == LOCAL


class TestWithToken:
    """Everybody needs the token, reads too."""

    guard = Guard(Secret("s3cret"))

    @pytest.mark.parametrize("header", ["Bearer s3cret", "bearer s3cret", "Bearer  s3cret "])
    def test_the_right_token(self, header: str) -> None:
        """Whoever carries it is admitted from anywhere, from any page, with any form."""
        headers = {
            "authorization": header,
            "host": "cp.example.org",
            "origin": "https://grafana.example.org",
            "content-type": FORM,
            "content-length": "3",
        }
        assert self.guard.admit(Request("POST", headers, "203.0.113.9")) == TOKEN_HOLDER

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3creté"],
    )
    def test_any_other_is_refused(self, header: str) -> None:
        """None, a wrong one and another scheme are refused, also on loopback."""
        with pytest.raises(Unauthorized) as caught:
            self.guard.admit(local(authorization=header))
        assert "s3cret" not in str(caught.value)

    def test_public_paths_are_open(self) -> None:
        """Health needs no token."""
        assert self.guard.admit(Request("GET", {}, "203.0.113.9", public=True)) == ANONYMOUS

    @pytest.mark.parametrize("token", [None, Secret("s3cret")])
    def test_signed_paths_are_their_routes_affair(self, token: Secret | None) -> None:
        """A service that signs what it sends has no token of ours, and any Host."""
        headers = {"host": "cp.example.org", "content-type": FORM, "content-length": "3"}
        request = Request("POST", headers, "203.0.113.9", signed=True)
        assert Guard(token).admit(request) == ANONYMOUS

    def test_a_rotated_token_counts_at_once(self) -> None:
        """The token is read at each request."""
        tokens = iter(["old", "new", "new"])
        guard = Guard(Secret(lambda: next(tokens)))
        assert guard.admit(local(authorization="Bearer old")) == TOKEN_HOLDER
        with pytest.raises(Unauthorized):
            guard.admit(local(authorization="Bearer old"))
        assert guard.admit(local(authorization="Bearer new")) == TOKEN_HOLDER

    @pytest.mark.parametrize("read", [lambda: "", gone])
    def test_a_token_that_cannot_be_read_admits_nobody(self, read: Callable[[], str]) -> None:
        """An empty or unreadable token file closes the door; it does not open it."""
        with pytest.raises(Unavailable):
            Guard(Secret(read)).admit(local(authorization="Bearer "))

    def test_nothing_is_shown(self) -> None:
        """The guard's repr has neither token."""
        assert "s3cret" not in repr(self.guard)
        assert self.guard.csrf_token not in repr(self.guard)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_listening_on_loopback_needs_no_token(host: str) -> None:
    """Loopback is safe as it is."""
    assert is_loopback(host)
    check_listen(host, None)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.5", "cp.example.org"])
def test_listening_elsewhere_needs_a_token(host: str) -> None:
    """Anything else is refused without a token, with what to do; with one it is allowed."""
    with pytest.raises(Forbidden, match="CONTROLPLANE_API_TOKEN"):
        check_listen(host, None)
    check_listen(host, Secret("x"))
