"""`controlplane test routes --config FILE LABEL=VALUE...`: who is told, as amtool says it, and why.

What amtool prints goes to the output, the reasons to the errors: scripts that
read amtool's `config routes test` can read this.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from controlplane.config.loader import load
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import format_matchers, parse_matcher
from controlplane.model.matchers import MatchOp, matches_all
from controlplane.routing.tree import Node, build_tree, recipients


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    parser.add_argument(
        "--config", "--config.file", metavar="FILE", type=Path, required=True, dest="config"
    )
    parser.add_argument(
        "--verify.receivers",
        metavar="NAME,...",
        dest="expected",
        default="",
        help="fail unless the alert goes to just these, in this order",
    )
    parser.add_argument("--tree", action="store_true", help="print the routes that match")
    parser.add_argument("--quiet", action="store_true", help="print no reasons")
    parser.add_argument("labels", metavar="LABEL=VALUE", nargs="*")


def run(args: argparse.Namespace) -> int:
    """Print the receivers of an alert; 1 when they are not those expected. Raises InvalidInput."""
    labels, root = _labels(args.labels), build_tree(load(args.config).route)
    if args.tree:
        print("\n".join(["Matching routes:", ".", *_branches(root, labels), "", ""]))
    taken = recipients(root, labels)
    told = ",".join(node.receiver for node in taken)
    print(told)
    if not args.quiet:
        for node in taken:
            print("\n".join(_why(root, node, labels)), file=sys.stderr)
    if args.expected and args.expected != told:
        print("WARNING: Expected receivers did not match resolved receivers.")
        return 1
    return 0


def _labels(texts: Sequence[str]) -> Labels:
    pairs: dict[str, str] = {}
    for text in texts:
        try:
            matcher = parse_matcher(text)
        except InvalidInput as error:
            raise InvalidInput(f"Failed to parse labels: {error.reason}") from None
        if matcher.op is not MatchOp.EQUAL:
            raise InvalidInput("Labels must be specified as key=value pairs")
        pairs[matcher.name] = matcher.value
    return Labels(pairs)


def _branches(node: Node, labels: Labels, edge: str = "└── ", indent: str = "    ") -> list[str]:
    """Return the tree of the routes that match, drawn as amtool draws it."""
    children: list[Node] = []
    for child in node.children:
        if matches_all(child.matchers, labels):
            children.append(child)
            if not child.continue_:
                break
    name = _name(node) if children else f"{_name(node)}  receiver: {node.receiver}"
    lines = [f"{edge}{name}"]
    for place, child in enumerate(children):
        last = place == len(children) - 1
        drawn = _branches(child, labels, "└── " if last else "├── ", "    " if last else "│   ")
        lines += [f"{indent}{line}" for line in drawn]
    return lines


def _why(root: Node, node: Node, labels: Labels) -> list[str]:
    """Return why an alert goes to a receiver, and how it is told there."""
    way = " > ".join(_name(each) for each in _way(root, node))
    group = node.group_labels(labels)
    lines = [
        f"{node.receiver}: by {way}",
        f"  grouped by {group}, told {format_duration(node.group_wait)} after the first alert, "
        f"{format_duration(node.group_interval)} after a change, "
        f"again every {format_duration(node.repeat_interval)}",
    ]
    if node.mute_time_intervals:
        lines.append(f"  not during {', '.join(node.mute_time_intervals)}")
    if node.active_time_intervals:
        lines.append(f"  only during {', '.join(node.active_time_intervals)}")
    return lines


def _way(root: Node, wanted: Node) -> list[Node]:
    """Return the routes from the root to one of them."""
    if root is wanted:
        return [root]
    for child in root.children:
        way = _way(child, wanted)
        if way:
            return [root, *way]
    return []


def _name(node: Node) -> str:
    return format_matchers(node.matchers) if node.matchers else "default-route"
