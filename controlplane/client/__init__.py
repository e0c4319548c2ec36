"""Register a service with a control plane, and keep it registered.

    import controlplane_client   # or: from controlplane import client as controlplane_client

    controlplane_client.register("checkout", "http://10.0.0.5:8000/health",
                                 metrics_url="http://10.0.0.5:8000/metrics",
                                 labels={"team": "shop"})

One file, standard library only, Python 3.9 or newer. `register` returns at
once: a daemon thread registers, renews the lease, and registers anew when the
control plane has forgotten the target. Nothing here ever raises into the
service or makes it wait; what goes wrong is logged (`logging`, under the name
of this module) and tried again. Where to, and with which token, is said by
arguments or by CONTROLPLANE_URL, CONTROLPLANE_API_TOKEN and
CONTROLPLANE_API_TOKEN_FILE; the file is read anew for each request.

Processes that fork workers: call it in each worker, or in the parent alone;
threads do not survive a fork.
"""

from __future__ import annotations

import atexit
import http.client
import json
import logging
import os
import random
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

__all__ = ["Pace", "Registration", "register"]

_log = logging.getLogger(__name__)

_DEFAULT_URL: Final = "http://127.0.0.1:8080"
_LONGEST_ANSWER: Final = 65_536
# Answers below 500 that another try may change: a token is rotated, a limit passes.
_PASSING: Final = (401, 403, 404, 408, 425, 429)
_UNITS: Final = {
    "y": 31_536_000,
    "w": 604_800,
    "d": 86_400,
    "h": 3_600,
    "m": 60,
    "s": 1,
    "ms": 0.001,
}
_DURATION: Final = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS) + r"\Z")


@dataclass(frozen=True)
class Pace:
    """How patient the client is, in seconds.

    A failed request is tried again after a random time below `first_retry`,
    then 2, 4, 8 times that, never above `longest_retry`. A registration that
    was refused (not merely unanswered) is tried again after `refused_retry`.
    `timeout` bounds each wait for the control plane.
    """

    first_retry: float = 1.0
    longest_retry: float = 60.0
    refused_retry: float = 300.0
    timeout: float = 5.0


class _Failed(Exception):
    """A request that did not do what was asked. `status` is 0 without an answer."""

    def __init__(self, reason: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Tell whether the same request would only be refused again."""
        return 400 <= self.status < 500 and self.status not in _PASSING


def register(
    name: str,
    url: str | None = None,
    *,
    address: str | None = None,
    base_url: str | None = None,
    token: str | None = None,
    module: str | None = None,
    interval: str | None = None,
    labels: Mapping[str, str] | None = None,
    metrics_url: str | None = None,
    dashboard: str | None = None,
    lease: str | None = "1m",
    deregister_on_exit: bool = False,
    pace: Pace | None = None,
) -> Registration:
    """Register this service from now on, in the background; return at once.

    `url` (or `address`, host:port, for tcp) is what is probed, `metrics_url`
    what is scraped; `dashboard` "red" asks for a dashboard of its own in Grafana;
    `interval` and `lease` are Prometheus durations such as `15s`. A lease is
    renewed three times in its length; with None the target stays until somebody
    deletes it. With `deregister_on_exit` the target is removed when the
    interpreter exits in good order.
    """
    spec = {
        "name": name,
        "url": url,
        "address": address,
        "module": module,
        "interval": interval,
        "labels": labels or None,
        "metrics_url": metrics_url,
        "dashboard": dashboard,
        "lease": lease,
    }
    registration = Registration(
        {key: value for key, value in spec.items() if value is not None},
        _Api(base_url, token, pace or Pace()),
        pace or Pace(),
        deregister_on_exit=deregister_on_exit,
    )
    registration._start()
    return registration


class Registration:
    """One registered service. Every method may be called from any thread."""

    def __init__(
        self, spec: Mapping[str, Any], api: _Api, pace: Pace, *, deregister_on_exit: bool
    ) -> None:
        self._spec = spec
        self._name = str(spec.get("name"))
        self._api = api
        self._pace = pace
        self._deregister_on_exit = deregister_on_exit
        self._renew_seconds = _seconds(spec.get("lease"))
        self._changed = threading.Condition()
        self._stopping = False
        self._target_id: str | None = None
        self._last_error: str | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"controlplane-client-{self._name}", daemon=True
        )

    @property
    def target_id(self) -> str | None:
        """The target's id, or None while it is not registered."""
        with self._changed:
            return self._target_id

    @property
    def last_error(self) -> str | None:
        """Why the last request failed, or None when it did not."""
        with self._changed:
            return self._last_error

    def wait_until_registered(self, timeout: float | None = None) -> bool:
        """Wait until the control plane has taken the registration; tell whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._target_id is not None, timeout)

    def close(self, *, deregister: bool = True, timeout: float = 2.0) -> None:
        """Stop renewing and, unless told not to, remove the target. Never raises.

        Waits at most `timeout` seconds for a request under way, and as long
        again for the control plane to remove the target.
        """
        atexit.unregister(self._at_exit)
        with self._changed:
            self._stopping = True
            target_id = self._target_id
            self._changed.notify_all()
        if not deregister:
            return
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            # A registration in flight may still bring an id.
            self._thread.join(timeout)
            target_id = self.target_id
        if target_id is None:
            return
        try:
            self._api.deregister(target_id, timeout)
        except _Failed as error:
            _log.warning("%s: could not be deregistered: %s", self._name, error)
        else:
            self._note(None, None)

    def _start(self) -> None:
        if self._deregister_on_exit:
            atexit.register(self._at_exit)
        try:
            self._thread.start()
        except RuntimeError as error:
            _log.error("%s: is not registered, no thread: %s", self._name, error)

    def _at_exit(self) -> None:
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                delay = self._step()
                failures = 0
            except _Failed as error:
                failures += 1
                delay = self._after_failure(error, failures)
            except Exception:  # noqa: BLE001 - nothing may be raised into the service
                failures += 1
                _log.exception("%s: is not registered", self._name)
                delay = self._pace.refused_retry
            if delay is None:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, delay)

    def _step(self) -> float | None:
        """Register or renew; return the seconds until the next time, None for never."""
        target_id = self.target_id
        if target_id is None:
            target_id = self._api.register(self._spec)
            _log.info("%s: registered as %s", self._name, target_id)
        else:
            self._api.renew(target_id)
        self._note(target_id, None)
        if self._renew_seconds is None:
            return None
        return self._renew_seconds * _between(0.9, 1.1)

    def _after_failure(self, error: _Failed, failures: int) -> float:
        """Note the failure; return the seconds until the next try."""
        target_id = self.target_id
        if target_id is not None and error.status == 404:
            _log.info("%s: is not known any more, registering anew", self._name)
            self._note(None, str(error))
            return self._pace.first_retry * _between(0.0, 1.0)
        changed = str(error) != self.last_error
        self._note(target_id, str(error))
        # The same failure over and over is worth a line only once.
        _log.log(
            logging.WARNING if changed else logging.DEBUG,
            "%s: %s failed: %s",
            self._name,
            "registration" if target_id is None else "renewal",
            error,
        )
        if error.refused:
            return self._pace.refused_retry
        longest = self._pace.longest_retry
        if self._renew_seconds is not None:
            longest = min(longest, self._renew_seconds)
        ceiling = min(longest, self._pace.first_retry * 2.0 ** min(failures - 1, 30))
        wished = min(error.retry_after or 0.0, self._pace.longest_retry)
        return max(wished, ceiling * _between(0.5, 1.0))

    def _note(self, target_id: str | None, error: str | None) -> None:
        with self._changed:
            self._target_id = target_id
            self._last_error = error
            self._changed.notify_all()


class _Api:
    """The three requests, over HTTP without redirects: they would carry the token elsewhere."""

    def __init__(self, base_url: str | None, token: str | None, pace: Pace) -> None:
        self._base_url = base_url
        self._token = token
        self._timeout = pace.timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def register(self, spec: Mapping[str, Any]) -> str:
        """Return the id of the target that the spec created or replaced. Raises _Failed."""
        answer = self._request("POST", "/api/v1/targets", spec)
        target_id = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(target_id, str):
            raise _Failed("the answer names no target: is this a control plane?")
        return target_id

    def renew(self, target_id: str) -> None:
        self._request("POST", f"/api/v1/targets/{quote(target_id, safe='')}/renew")

    def deregister(self, target_id: str, timeout: float) -> None:
        self._request("DELETE", f"/api/v1/targets/{quote(target_id, safe='')}", timeout=timeout)

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        base = self._base_url or os.environ.get("CONTROLPLANE_URL") or _DEFAULT_URL
        if not base.startswith(("http://", "https://")):
            raise _Failed(f"CONTROLPLANE_URL is no http url: {base!r}")
        headers = {"Accept": "application/json", "User-Agent": "controlplane-client"}
        data = None
        if body is not None:
            data = json.dumps(body, default=dict).encode()
            headers["Content-Type"] = "application/json"
        if token := self._read_token():
            headers["Authorization"] = f"Bearer {token}"
        try:
            request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
                base.rstrip("/") + path, data=data, headers=headers, method=method
            )
            with self._opener.open(request, timeout=timeout or self._timeout) as answer:
                text = answer.read(_LONGEST_ANSWER)
            return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                raise _failed(error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # URLError and time-outs are OSErrors; ValueError is an answer that is no JSON.
            raise _Failed(f"{type(error).__name__}: {error}") from None

    def _read_token(self) -> str | None:
        if self._token is not None:
            return self._token
        if path := os.environ.get("CONTROLPLANE_API_TOKEN_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise _Failed(f"the token file cannot be read: {error}") from None
        return os.environ.get("CONTROLPLANE_API_TOKEN")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _failed(error: urllib.error.HTTPError) -> _Failed:
    """Return what an answer that is no success says, in its own words where it has any."""
    detail = error.reason
    try:
        problem = json.loads(error.read(_LONGEST_ANSWER))
        if isinstance(problem, dict):
            detail = str(problem.get("detail") or detail)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    waits = error.headers.get("Retry-After") or ""
    retry_after = float(waits) if waits.isascii() and waits.isdigit() else None
    return _Failed(f"{error.code}: {detail}", error.code, retry_after)


def _between(low: float, high: float) -> float:
    """Return a random factor: what was started together must not stay together."""
    return random.uniform(low, high)  # noqa: S311 - no secret hangs on it


def _seconds(lease: object) -> float | None:
    """Return a third of a lease in seconds; None without a lease that can be understood.

    The control plane is the one to refuse a malformed lease.
    """
    match = _DURATION.match(lease) if isinstance(lease, str) else None
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS.values())  # noqa: B905 - not yet in Python 3.9
    seconds = sum(int(count) * unit for count, unit in parts if count)
    return seconds / 3 if seconds else None
