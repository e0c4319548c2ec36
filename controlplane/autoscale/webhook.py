"""The signed webhook: somebody of the user's own scales, and is told to by a POST.

The body is JSON. With a secret, `X-Controlplane-Signature` is `v1=` and the
HMAC-SHA256, in hex, of the value of `X-Controlplane-Timestamp` (Unix seconds),
a full stop and the body. `Idempotency-Key` is the same for the same decision.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import httpx
import orjson

from controlplane.autoscale.decision import Decision
from controlplane.autoscale.options import Policy, WebhookOptions
from controlplane.clock import Clock
from controlplane.errors import Forbidden, Unavailable
from controlplane.model.duration import format_time
from controlplane.transport.options import HTTPClientConfig

SIGNATURE: Final = "X-Controlplane-Signature"
TIMESTAMP: Final = "X-Controlplane-Timestamp"


class Webhook:
    """Posts decisions through the clients that keep to the outbound policy."""

    def __init__(
        self, clients: Callable[[HTTPClientConfig], httpx.AsyncClient], clock: Clock
    ) -> None:
        self._clients = clients
        self._clock = clock

    async def __call__(self, webhook: WebhookOptions, policy: Policy, decision: Decision) -> None:
        """Return once the decision was accepted. Raises Unavailable, Forbidden.

        No error repeats the URL, for it may hold a secret.
        """
        sent = body(policy, decision)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{decision.policy}-{decision.at}",
        }
        if webhook.secret is not None:
            at = str(self._clock.now() // 1000)
            headers[TIMESTAMP] = at
            headers[SIGNATURE] = sign(webhook.secret.reveal(), at, sent)
        seconds = webhook.timeout / 1000
        try:
            async with asyncio.timeout(seconds + 1), self._clients(webhook.http_config) as client:
                answer = await client.post(
                    webhook.url.reveal(), content=sent, headers=headers, timeout=seconds
                )
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(f"the webhook gave no answer within {seconds:g} s") from None
        except Forbidden:
            raise Forbidden("the webhook's address is denied by `outbound`") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"the webhook failed: {type(error).__name__}") from None
        if not answer.is_success:
            raise Unavailable(f"the webhook answered with status {answer.status_code}")


def body(policy: Policy, decision: Decision) -> bytes:
    """Return what is posted."""
    return orjson.dumps(
        {
            "version": 1,
            "policy": policy.name,
            "at": format_time(decision.at),
            "current": decision.current,
            "desired": decision.desired,
            "min": policy.min_replicas,
            "max": policy.max_replicas,
            "metrics": [
                {"name": each.metric, "value": each.value, "because": str(each.because)}
                for each in decision.verdicts
            ],
            "steps": [str(each) for each in decision.steps],
        }
    )


def sign(secret: str, timestamp: str, content: bytes) -> str:
    """Return the signature of a body that is sent at a time."""
    signed = timestamp.encode() + b"." + content
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
