"""`controlplane query 'EXPR'`: one expression at a running service, printed as promtool does."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

import httpx

from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.labels import Labels

_SECONDS: Final = 125.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("expression", metavar="EXPR", help="a PromQL expression")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service listens")
    parser.add_argument("--time", help="the instant: Unix seconds or RFC 3339; now when not given")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print. Raises InvalidInput for a bad expression, Unavailable."""
    form = {"query": args.expression, **({"time": args.time} if args.time else {})}
    base = args.url.rstrip("/")
    try:
        answer = httpx.post(
            f"{base}/prometheus/api/v1/query", data=form, headers=_headers(), timeout=_SECONDS
        )
        body = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Unavailable(f"{base} does not answer as the service does: {error}") from None
    if body.get("status") != "success":
        raise InvalidInput(str(body.get("error") or body.get("detail") or body))
    for note in [*body.get("warnings", ()), *body.get("infos", ())]:
        print(f"# {note}")
    for line in _lines(body["data"]):
        print(line)
    return 0


def _headers() -> dict[str, str]:
    token = os.environ.get("CONTROLPLANE_API_TOKEN", "")
    path = os.environ.get("CONTROLPLANE_API_TOKEN_FILE", "")
    if not token and path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unavailable(f"CONTROLPLANE_API_TOKEN_FILE: {error.strerror}: {path}") from None
    return {"Authorization": f"Bearer {token}"} if token else {}


def _lines(data: dict[str, Any]) -> list[str]:
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return [f"{kind}: {result[1]} @[{result[0]}]"]
    if kind == "vector":
        return [f"{_name(each)} => {each['value'][1]} @[{each['value'][0]}]" for each in result]
    return [
        "\n".join([f"{_name(each)} =>", *(f"{value} @[{at}]" for at, value in each["values"])])
        for each in result
    ]


def _name(series: dict[str, Any]) -> str:
    return str(Labels(series["metric"]))
