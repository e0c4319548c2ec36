"""Cookies that live as long as one chain of redirects."""

from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast
from urllib.request import Request as UrllibRequest

from controlplane.transport.url import Url


class _Answer:
    """The one method of a response that the standard library's jar asks for."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers


class Cookies:
    """Takes what each hop sets, and says what the next one is sent."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def take(self, url: Url, set_cookie: list[str]) -> None:
        """Keep the cookies of the Set-Cookie headers of a response from `url`."""
        headers = Message()
        for value in set_cookie:
            headers["Set-Cookie"] = value
        response = cast(HTTPResponse, _Answer(headers))
        self._jar.extract_cookies(response, UrllibRequest(str(url)))  # noqa: S310 - sends nothing

    def header(self, url: Url) -> str:
        """Return the value of the Cookie header for `url`, or an empty string."""
        request = UrllibRequest(str(url))  # noqa: S310 - sends nothing
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""
