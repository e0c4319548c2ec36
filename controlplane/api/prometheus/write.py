"""`/prometheus/api/v1/write`: remote write, versions 1 and 2."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException

from controlplane.api.guard import sender
from controlplane.api.surface import On
from controlplane.ingest.incoming import Tally

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


_MEDIA_TYPE: Final = "application/x-protobuf"
# What `proto=` says, and the version it stands for.
_VERSIONS: Final = {"prometheus.WriteRequest": 1, "io.prometheus.write.v2.Request": 2}
# Senders show this much of an answer; the first case of each reason fits in.
_LONGEST_ANSWER: Final = 1024


@router.post("/write")
async def write(request: Request, on: On) -> Response:
    """Take samples in. 204 when all are kept; 400 names those that are not, the rest is kept."""
    version = _version(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "snappy")
    if encoding.lower() != "snappy":
        raise HTTPException(415, f"send snappy blocks, not {encoding}")
    body = await request.body()
    tally = await on.intake.run(lambda: on.receiver.remote_write(body, version, sender(request)))
    headers = _written(tally) if version == 2 else {}
    if tally.rejections:
        words = f"{tally.written} samples written, others not: {tally.rejections}"
        return PlainTextResponse(words[:_LONGEST_ANSWER], 400, headers)
    return Response(status_code=204, headers=headers)


def _version(content_type: str) -> int:
    """Return the version that a media type stands for; senders before 2.0 name no message.

    A body of another version decodes as an empty one, so whatever is not known
    is refused: raises HTTPException 415.
    """
    media_type, *parameters = [part.strip() for part in content_type.split(";")]
    named = [part.removeprefix("proto=") for part in parameters if part.startswith("proto=")]
    message = named[-1].strip('"') if named else "prometheus.WriteRequest"
    if media_type.lower() not in ("", _MEDIA_TYPE) or message not in _VERSIONS:
        known = " or ".join(f"{_MEDIA_TYPE};proto={name}" for name in _VERSIONS)
        raise HTTPException(415, f"send {known}, not {content_type!r}")
    return _VERSIONS[message]


def _written(tally: Tally) -> dict[str, str]:
    return {
        "X-Prometheus-Remote-Write-Samples-Written": str(tally.written - tally.histograms),
        "X-Prometheus-Remote-Write-Histograms-Written": str(tally.histograms),
        "X-Prometheus-Remote-Write-Exemplars-Written": "0",
    }
