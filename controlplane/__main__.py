"""`python -m controlplane` is the `controlplane` command."""

from controlplane.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
