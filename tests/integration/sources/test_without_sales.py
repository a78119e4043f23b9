"""Data sets of ratings, of events and of items alone, from the YAML file to the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from daybreak.cli.data import app as data
from daybreak.cli.platform import app as platform
from daybreak.errors import DatasetError
from daybreak.runtime import get_runtime

RATINGS = """\
name: ratings
arrival_lag: 1h
interactions:
  files: ${HERE}/ratings.csv
  columns: {event_at: at, user_id: user, item_id: film, kind: {const: rating}}
  weights: {rating: 1}
  filters: [{name: liked, keep: {column: stars, at_least: 4}}]
"""
RATED = """\
at,user,film,stars
2025-03-01 10:00,ann,heat,5
2025-03-01 11:00,bob,heat,2
2025-03-03 09:00,ann,alien,4
"""
EVENTS = """\
name: clicks
interactions:
  files: ${HERE}/events.csv
  columns: {event_at: ts, item_id: page, kind: action}
"""
CLICKED = "ts,page,action\n2025-03-01T10:00Z,p,view\n2025-03-01T10:01Z,q,cart\n"
FILMS = """\
items:
  files: ${HERE}/films.csv
  columns: {item_id: id, name: title}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """YAML files and their data."""
    for name, content in {
        "ratings.csv": RATED,
        "events.csv": CLICKED,
        "films.csv": "id,title\nheat,Heat\n",
        "ratings.yaml": RATINGS,
        "films.yaml": RATINGS + FILMS,
        "events.yaml": EVENTS,
        "only_films.yaml": f"name: films\n{FILMS}",
    }.items():
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
def on_warehouse(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Commands find the test's warehouse through the environment, as they do outside."""
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path / "home"))
    get_runtime.cache_clear()
    yield
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(data, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def closed(engine: Engine) -> list[str]:
    with engine.connect() as conn:
        return [str(day) for day in conn.scalars(text("SELECT business_date FROM raw.day_closed"))]


@pytest.mark.usefixtures("on_warehouse")
def test_ratings_alone_are_checked_loaded_and_close_days(folder: Path, warehouse: Engine) -> None:
    file = str(folder / "ratings.yaml")

    checked = run("check", file)
    loaded = run("load", file)

    assert "3 rows read, 2 kept, 2025-03-01 to 2025-03-03" in checked
    assert "rule liked: 1" in checked
    assert "bad rows" not in checked + loaded
    assert "2 new rows; 3 days closed, through 2025-03-03." in loaded
    assert closed(warehouse) == ["2025-03-01", "2025-03-02", "2025-03-03"]
    assert "0 new rows; 0 days closed, through 2025-03-03." in run("load", file)


@pytest.mark.usefixtures("on_warehouse")
def test_events_of_nobody_known_are_a_data_set(folder: Path, warehouse: Engine) -> None:
    file = str(folder / "events.yaml")

    report = json.loads(run("check", file, "--json"))
    assert [(one["section"], one["kept"], one["quarantined"]) for one in report["files"]] == [
        ("interactions", 2, 0)
    ]
    report = json.loads(run("load", file, "--json"))
    assert (report["loaded"], report["days_closed"]) == (2, 1)
    assert closed(warehouse) == ["2025-03-01"]


@pytest.mark.usefixtures("on_warehouse")
def test_items_come_beside_interactions(folder: Path, warehouse: Engine) -> None:
    report = json.loads(run("load", str(folder / "films.yaml"), "--json"))

    assert [(one["section"], one["loaded"]) for one in report["files"]] == [
        ("items", 1),
        ("interactions", 2),
    ]
    assert len(closed(warehouse)) == 3


@pytest.mark.usefixtures("on_warehouse")
def test_items_alone_are_refused_before_anything_is_loaded(folder: Path, warehouse: Engine) -> None:
    with pytest.raises(DatasetError, match="add `sales` or `interactions`") as caught:
        run("load", str(folder / "only_films.yaml"))

    assert "docs/data-contract.md" in caught.value.remedy
    assert closed(warehouse) == []


@pytest.mark.usefixtures("on_warehouse")
def test_the_path_moves_the_ratings(folder: Path) -> None:
    (folder / "other.csv").write_text("at,user,film,stars\n2025-04-01 10:00,ann,heat,5\n")

    shown = run("check", str(folder / "ratings.yaml"), "--path", str(folder / "other.csv"))

    assert "1 kept, 2025-04-01 to 2025-04-01" in shown


@pytest.mark.usefixtures("on_warehouse")
@pytest.mark.parametrize("name", ["ratings", "events"])
def test_status_and_doctor_find_no_fault_of_the_data_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = str(folder / f"{name}.yaml")
    run("load", file)
    monkeypatch.setenv("DAYBREAK_DATASET", file)

    status = json.loads(CliRunner().invoke(platform, ["status", "--json"]).stdout)
    doctor = json.loads(CliRunner().invoke(platform, ["doctor", "--json"]).stdout)

    assert status["dataset"] == file
    assert status["published"] == []
    absent = [finding["detail"] for finding in doctor if finding["check"] == "model"]
    assert [said.partition(", which")[0] for said in absent] == [
        "fraud is absent: needs streams and labels",
        "pricing is absent: needs sales and pricing",
        "sales_forecast is absent: needs sales",
    ]
    for finding in [*status["findings"], *doctor]:
        assert finding["ok"] or "sales" not in finding["detail"], finding
    states = {finding["check"]: finding["state"] for finding in doctor}
    assert states["database"] == "ok"
    assert "data set" not in states, "nothing runs for another data set"
