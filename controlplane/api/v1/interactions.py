"""`/api/v1/integrations/...`: what services call when somebody clicks in their messages."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.errors import Unavailable

router = APIRouter(prefix="/api/v1/integrations", tags=["integrations"], responses=problems())


# Slack shows whoever clicked an error when it has no answer within 3 s.
_SECONDS: Final = 2.5


@router.post(
    "/slack/interactions",
    response_class=Response,
    responses={200: {"description": "Obeyed, or nothing to obey"}, **problems(401, 413, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["payload"],
                        "properties": {"payload": {"type": "string"}},
                    }
                }
            },
        }
    },
)
async def slack(request: Request, on: On) -> Response:
    """Take a click on a button of ours, as Slack posts it to the app's interactivity URL.

    Needs no token, but Slack's signature: `X-Slack-Signature` over the body and
    a `X-Slack-Request-Timestamp` of the last five minutes. To send the same
    request again does nothing more.
    """
    body = await request.body()
    try:
        async with asyncio.timeout(_SECONDS):
            await on.slack.take(dict(request.headers), body, on.clock.now())
    except TimeoutError:
        raise Unavailable("it took too long: look at the alert before you click again") from None
    return Response(status_code=200)
