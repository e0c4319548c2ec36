"""Dashboards as files, for a Grafana that mounts them."""

from pathlib import Path

from dashboards.catalogue import every_sheet, path_of


def write(directory: Path) -> list[Path]:
    """Write every dashboard below a directory, and remove what none of them is any more."""
    written = []
    for sheet in every_sheet():
        path = directory / path_of(sheet)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sheet.text(), encoding="utf-8")
        written.append(path)
    for path in directory.glob("*/*.json"):
        if path not in written:
            path.unlink()
    return written
