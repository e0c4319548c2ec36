"""`python -m tests.chaos.cluster [--replicas N] [--targets N] [--seconds S] [--seed N] ...`.

Every number of a `Plan` is an option; 0 seconds between faults of a kind is none of them.
"""

import argparse
import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.cluster.run import ClusterChaos, Plan, told


def main() -> int:
    """Run, print what came of it; 1 when somebody could have noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cluster", description=__doc__)
    usual = Plan()
    for name, default in asdict(usual).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--keep", type=Path, help="where everything is to lie, and to stay")
    given = vars(parser.parse_args())
    keep = given.pop("keep")
    plan = Plan(**given)
    with TemporaryDirectory() as temporary:
        directory = keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        result = asyncio.run(ClusterChaos(directory, plan).run())
    sys.stdout.write(told(plan, result) + "\n")
    return 1 if result.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
