"""`python -m dashboards DIRECTORY`: write the dashboards below it."""

import sys
from pathlib import Path

from dashboards.writing import write

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m dashboards DIRECTORY")
    sys.stdout.writelines(f"{path}\n" for path in write(Path(sys.argv[1])))
