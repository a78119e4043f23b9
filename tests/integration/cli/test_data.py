"""``daybreak data`` as people and programs meet it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from daybreak.cli.data import app
from daybreak.errors import DatasetError
from daybreak.runtime import get_runtime

MINE = """\
name: mine
sales:
  files: ${HERE}/sales.csv
  max_bad_share: 0.5
  columns: {business_date: day, store_id: {const: a}, item_id: sku, units: qty}
  filters: [{name: postage, drop: {column: sku, equals: POST}}]
"""
ROWS = "day,sku,qty\n2025-01-01,x,1\n2025-01-01,POST,1\nnever,[bold]x,1\n"


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "sales.csv").write_text(ROWS)
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    return str(file)


@pytest.fixture
def on_warehouse(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands find the test's warehouse through the environment, as they do outside."""
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    get_runtime.cache_clear()
    yield
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list() -> None:
    assert "online_retail    Invoice lines" in run("list")
    assert {entry["name"] for entry in json.loads(run("list", "--json"))} >= {
        "online_retail",
        "store_sales",
        "synthetic",
    }


def test_check_needs_no_warehouse(mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", "postgresql://nobody@192.0.2.1/nothing")

    shown = run("check", mine)
    file = json.loads(run("check", mine, "--json"))["files"][0]

    assert "3 rows read, 1 kept, 2025-01-01 to 2025-01-01" in shown
    assert "4 lines: 1 of the header, 0 blank, 0 merged, 1 of bad rows" in shown
    assert "rule postage: 1" in shown
    assert "row 3: business_date is not a date" in shown
    assert "business_date=2025-01-01, store_id=a, item_id=x, units=1.0" in shown
    assert (file["rows"], file["kept"], file["quarantined"]) == (3, 1, 1)


def test_check_of_a_path_elsewhere(mine: str, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("day,sku,qty\n2025-01-01,y,1\n")

    shown = run("check", mine, "--path", str(tmp_path / "other.csv"))

    assert "item_id=y" in shown


def test_the_path_of_the_settings_is_for_its_own_data_set(
    mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBREAK_DATASET_PATH", "/absent.csv")

    assert "1 kept" in run("check", mine)
    monkeypatch.setenv("DAYBREAK_DATASET", "online_retail")
    with pytest.raises(DatasetError, match=r"finds no file /absent\.csv"):
        run("check")


@pytest.mark.usefixtures("on_warehouse")
def test_load_and_quarantine(mine: str, warehouse: Engine) -> None:
    assert run("quarantine") == ""

    shown = run("load", mine)
    again = run("load", mine, "--through", "2025-01-01", "--json")

    assert "1 new rows; 1 days closed, through 2025-01-01." in shown
    assert json.loads(again)["loaded"] == 0
    assert "already loaded" in run("load", mine)
    bad = run("quarantine", "--load", "1")
    assert bad.startswith("load 1  ")
    assert 'row 3: business_date is not a date  {"day": "never"' in bad
    (row,) = json.loads(run("quarantine", "--limit", "1", "--json"))
    assert row["row"]["sku"] == "[bold]x"
