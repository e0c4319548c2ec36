"""`python -m benchmarks [NAME [ARGUMENT...]]`: one benchmark, or all of them."""

import importlib
import sys

ALL = ("probe_throughput", "probe_schedule", "detection")


def main() -> int:
    if len(sys.argv) > 1:
        return int(importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:]))
    for name in ALL:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main([])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
