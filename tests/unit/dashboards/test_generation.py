"""The dashboards are the same every time, and what is committed is what they are."""

import json
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.catalogue import FOLDERS, every_sheet, path_of
from dashboards.frame import Sheet
from dashboards.service_red import red_of, service_red
from dashboards.writing import write
from tests.support.dashboards import decoded, panels, sheets

COMMITTED = Path(__file__).parents[3] / "grafana" / "dashboards"


def _names(sheet: Sheet) -> str:
    return sheet.uid


def test_what_is_committed_is_what_is_made(tmp_path: Path) -> None:
    """Writing them anew gives the same files, byte for byte: `make dashboards` was run."""
    made = {path.relative_to(tmp_path): path.read_bytes() for path in write(tmp_path)}
    held = {path.relative_to(COMMITTED): path.read_bytes() for path in COMMITTED.rglob("*.json")}
    assert sorted(made) == sorted(held)
    assert [str(path) for path in made if made[path] != held[path]] == []


def test_a_dashboard_that_is_no_more_is_removed(tmp_path: Path) -> None:
    """Writing leaves no file of an earlier set behind, and touches nothing else."""
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "gone.json").write_text("{}")
    (tmp_path / "services" / "README.md").write_text("mine")
    write(tmp_path)
    assert not (tmp_path / "services" / "gone.json").exists()
    assert (tmp_path / "services" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("sheet", sheets(), ids=_names)
def test_the_text_is_the_same_every_time(sheet: Sheet) -> None:
    """Two builds of one dashboard are equal, and end with a line's end."""
    assert sheet.text() == sheet.text()
    assert sheet.text().endswith("}\n")


@pytest.mark.parametrize("sheet", every_sheet(), ids=_names)
def test_grafana_s_own_model_reads_it(sheet: Sheet) -> None:
    """Decoded by the library's model and encoded again, nothing is lost.

    Its decoder puts every link and mark into the menu, whatever was read.
    """
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(decoded(sheet))))
    for each in (*again["links"], *again["annotations"]["list"]):
        each["placement"] = ""
    assert again == decoded(sheet)


def test_uids_and_titles_are_distinct() -> None:
    """No two have one uid, nor one title in one folder; a uid fits into Grafana's 40 characters."""
    made = sheets()
    assert len({sheet.uid for sheet in made}) == len(made)
    assert len({(sheet.folder, sheet.title) for sheet in made}) == len(made)
    assert all(len(sheet.uid) <= 40 and sheet.uid.startswith("controlplane-") for sheet in made)
    assert {sheet.folder for sheet in made} == set(FOLDERS)
    assert len({path_of(sheet) for sheet in every_sheet()}) == len(every_sheet())


@pytest.mark.parametrize("sheet", sheets(), ids=_names)
def test_panels_can_be_linked_to(sheet: Sheet) -> None:
    """Ids and titles of panels are distinct, and queries have their letters in order."""
    board = decoded(sheet)
    every = [
        *board["panels"],
        *(inner for row in board["panels"] for inner in row.get("panels", ())),
    ]
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)
    for panel in panels(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEFGH"[: len(letters)])


def test_an_id_stays_when_panels_move() -> None:
    """A panel's id is made of its title: links to it last when others are put before it."""
    full, short = service_red(), service_red()
    moved = Sheet(
        full.uid, full.title, full.description, full.folder, full.variables, (), short.rows
    )
    ids = {panel["title"]: panel["id"] for panel in panels(decoded(full))}
    assert all(ids[panel["title"]] == panel["id"] for panel in panels(decoded(moved)))


@pytest.mark.parametrize("sheet", sheets(), ids=_names)
def test_no_two_panels_overlap(sheet: Sheet) -> None:
    """Each cell of the grid belongs to one panel at most, and none is beyond its 24 columns."""
    board = decoded(sheet)
    taken: dict[tuple[int, int], str] = {}
    folded = [row["panels"] for row in board["panels"] if row.get("panels")]
    for group in (board["panels"], *folded):
        taken.clear()
        for panel in group:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    assert (x, y) not in taken, (panel["title"], taken[x, y])
                    taken[x, y] = panel["title"]


def test_a_service_s_own_dashboard_chooses_its_job() -> None:
    """It has the panels of Service RED; its job is fixed, and a strange name is quoted."""
    own, all_of_them = red_of('sh"op'), service_red()
    assert [p["title"] for p in panels(decoded(own))] == [
        p["title"] for p in panels(decoded(all_of_them))
    ]
    jobs = [v["query"] for v in decoded(own)["templating"]["list"] if v["name"] == "job"]
    assert jobs == ['label_values(http_requests_total{job="sh\\"op"}, job)']
    assert own.uid == red_of('sh"op').uid != red_of("shop").uid
