"""`controlplane test promql FILE...`: run PromQL conformance scripts."""

import argparse
from pathlib import Path

from controlplane.errors import InvalidInput, ParseError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files and how much to say."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show each failed case with its reason"
    )


def run(args: argparse.Namespace) -> int:
    """Run every file; return 1 if a case failed or a file cannot be read."""
    passed = failed = 0
    for path in args.files:
        good, bad = _run_file(path, verbose=args.verbose)
        print(f"{path}: {good} passed, {bad} failed", flush=True)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _run_file(path: Path, *, verbose: bool) -> tuple[int, int]:
    from controlplane.promql.testing.running import run_script  # noqa: PLC0415 - takes a while

    passed = failed = 0
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}") from None
    try:
        for outcome in run_script(text):
            passed, failed = passed + (not outcome.reason), failed + bool(outcome.reason)
            if outcome.reason and verbose:
                print(f"{path}:{outcome.line}: {outcome.expr}: {outcome.reason}")
    except ParseError as error:
        print(f"{path}:{error.line}: {error.detail}")
        failed += 1
    return passed, failed
