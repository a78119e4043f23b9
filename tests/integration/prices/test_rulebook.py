"""Rules of prices in the warehouse: taken in where they changed, and read as of a moment."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from daybreak.cli import app
from daybreak.clock import AsOf
from daybreak.errors import DatasetError, NoData
from daybreak.prices.rulebook import declare_rules, read_rules
from daybreak.prices.rules import Rules, rules_of
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import price_rules

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = date(2026, 2, 28)


def rules(days: int) -> Rules:
    return rules_of({"currency": "EUR", "days": days, "ladder": {"points": [0.99, 1.49]}})


def days_at(engine: Engine, cutoff: datetime) -> int:
    with begin(engine) as conn:
        return read_rules(conn, AsOf(DAY, cutoff)).days


def test_each_moment_has_the_rules_of_its_time(warehouse: Engine) -> None:
    hour = timedelta(hours=1)
    with begin(warehouse) as conn:
        taken = [
            declare_rules(conn, rules(days), NOW + n * hour)
            for n, days in enumerate([7, 7, 14, 14, 7])
        ]

    assert taken == [True, False, True, False, True]
    assert days_at(warehouse, NOW - timedelta(days=9999)) == 7, "the first were always known"
    assert days_at(warehouse, NOW + 2 * hour - timedelta(microseconds=1)) == 7
    assert days_at(warehouse, NOW + 2 * hour) == 14
    assert days_at(warehouse, NOW + 4 * hour) == 7


def test_a_clock_that_was_put_back_loses_no_change(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        for days, moment in ((7, NOW), (14, NOW), (21, NOW - timedelta(days=1))):
            declare_rules(conn, rules(days), moment)

    assert days_at(warehouse, NOW) == 14
    assert days_at(warehouse, NOW + timedelta(seconds=1)) == 21


def test_without_rules_the_remedy_is_said(warehouse: Engine) -> None:
    with pytest.raises(NoData, match="Add a section `pricing`") as caught:
        days_at(warehouse, NOW)

    assert caught.value.details["field"] == "pricing"


@pytest.mark.parametrize("statement", ["UPDATE ops.price_rules SET sha256 = ''", "DELETE FROM"])
def test_nothing_is_changed_afterwards(warehouse: Engine, statement: str) -> None:
    with begin(warehouse) as conn:
        declare_rules(conn, rules(7), NOW)
    with pytest.raises(DBAPIError), begin(warehouse) as conn:
        conn.execute(text(statement.replace("FROM", "FROM ops.price_rules")))


FILE = """
name: mine
sales:
  files: ${HERE}/s.csv
  columns: {business_date: d, store_id: s, item_id: i, units: u, price: p}
pricing:
  currency: EUR
  days: 7
  largest_rise: 0.15
  ladder: {endings: [0.49, 0.99], from: 0.49, to: 9.99}
  markdowns: [{items: [pear], ends: 2026-08-31}]
"""


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    (tmp_path / "s.csv").write_text("d,s,i,u,p\n2026-02-28,S1,pear,3,0.99\n")
    file = tmp_path / "mine.yaml"
    file.write_text(FILE)
    return file


def test_a_load_takes_them_in_once(warehouse: Engine, data_set: Path) -> None:
    for moment in (NOW, NOW + timedelta(days=1)):
        load_dataset(warehouse, load_spec(data_set), now=moment)
    data_set.write_text(FILE.replace("days: 7", "days: 3"))
    load_dataset(warehouse, load_spec(data_set), now=NOW + timedelta(days=2))

    with begin(warehouse) as conn:
        assert conn.scalar(select(func.count()).select_from(price_rules)) == 2
        held = read_rules(conn, AsOf(DAY, NOW))
    assert (held.days, held.largest_rise, len(held.points)) == (7, 0.15, 20)
    assert held.sha256 == rules_of(json.loads(held.to_json())).sha256
    assert held.markdowns[0].ends == date(2026, 8, 31)
    assert days_at(warehouse, NOW + timedelta(days=2)) == 3


def test_a_check_shows_them(data_set: Path) -> None:
    shown = CliRunner().invoke(app, ["data", "check", str(data_set)])

    assert shown.exit_code == 0, shown.output
    assert (
        "pricing  margin of 7 days, 20 prices from 0.49 EUR to 9.99 EUR; largest_rise, markdowns"
        in shown.output
    )
    as_json = CliRunner().invoke(app, ["data", "check", str(data_set), "--json"])
    assert json.loads(as_json.output)["declared"]["pricing"].startswith("margin of 7 days")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("days: 7", "pricing: pricing reads no rows, so it takes no `files`"),
        ("days: 400", "pricing.days: Input should be less than or equal to 365"),
        ("days: 7, colour: red", "pricing.colour: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_rule_is_named_by_its_place(tmp_path: Path, line: str, fault: str) -> None:
    more = ", files: a.csv" if "files" in fault else ""
    rule = f"pricing: {{currency: EUR, ladder: {{points: [1]}}, {line}{more}}}\n"
    sales = FILE.partition("pricing:")[0]
    (tmp_path / "mine.yaml").write_text(sales + rule)

    with pytest.raises(DatasetError) as caught:
        load_spec(tmp_path / "mine.yaml")
    assert fault in caught.value.message
