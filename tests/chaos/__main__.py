"""`python -m tests.chaos [--changes N] [--kills N] [--alerts N] [--seed N]`: the fault run."""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.run import Chaos, told


def main() -> int:
    """Run, print what came of it; 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    for name, default in (("changes", 10_000), ("kills", 20), ("alerts", 100), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    given = vars(parser.parse_args())
    with TemporaryDirectory() as directory:
        result = asyncio.run(Chaos(Path(directory), **given).run())
    sys.stdout.write(told(result) + "\n")
    return 1 if result.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
