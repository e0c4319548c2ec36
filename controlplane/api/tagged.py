"""Answers that whoever asks again need not be sent again (RFC 9110, 8.8.3 and 13.1.2)."""

from hashlib import blake2b

from fastapi import Request, Response


def tagged(request: Request, body: bytes, media_type: str, *, cache_control: str) -> Response:
    """Return a body with its tag, or 304 when the asker has it already."""
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"cache-control": cache_control, "etag": tag}
    if is_known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def is_known(told: str, tag: str) -> bool:
    """Tell whether an `If-None-Match` names a tag, compared weakly."""
    if told.strip() == "*":
        return True
    return tag.removeprefix("W/") in (each.strip().removeprefix("W/") for each in told.split(","))
