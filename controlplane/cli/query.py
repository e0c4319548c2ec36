"""`controlplane query 'EXPR'`: one expression at a running service, printed as promtool does."""

import argparse
from typing import Any

from controlplane.cli.asking import add_url, request
from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("expression", metavar="EXPR", help="a PromQL expression")
    add_url(parser)
    parser.add_argument("--time", help="the instant: Unix seconds or RFC 3339; now when not given")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print. Raises InvalidInput for a bad expression, Unavailable."""
    form = {"query": args.expression, **({"time": args.time} if args.time else {})}
    body = request("POST", args.url, "/prometheus/api/v1/query", data=form)
    if body.get("status") != "success":
        raise InvalidInput(str(body.get("error") or body.get("detail") or body))
    for note in [*body.get("warnings", ()), *body.get("infos", ())]:
        print(f"# {note}")
    for line in _lines(body["data"]):
        print(line)
    return 0


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
