"""``daybreak prices curve``: what the night left of a price, beside the table and the endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from daybreak.cli import app
from daybreak.errors import InvalidRequest, NotFound, NotPublished
from daybreak.jobs.curves import demand_curve
from daybreak.runtime import Runtime, get_runtime
from daybreak.settings import Settings
from daybreak.warehouse.tables import WRITER_ROLE
from price_checker import allowed, ladder
from price_site import Site, filled, night, rows, score
from yen_shop import LAST, RULES, offers, write

pytestmark = pytest.mark.slow

PROPOSED = "SELECT * FROM report.price_proposals ORDER BY store_id, item_id"


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shop")
    with filled(postgres, folder, write(folder, approval=None), LAST) as made:
        yield made


@pytest.fixture(scope="module")
def runtime(postgres: Any, site: Site) -> Iterator[Runtime]:
    """The warehouse with a night of prices."""
    with postgres.database(site.database) as name:
        settings = Settings(**site.settings(postgres.url(name, WRITER_ROLE)))
        made = Runtime(settings, lambda: night(LAST, 3))
        score(made, LAST)
        yield made
        made.engine.dispose()


@pytest.fixture(autouse=True)
def environment(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", runtime.settings.warehouse_dsn)
    monkeypatch.setenv("DAYBREAK_HOME", str(runtime.settings.home))
    monkeypatch.setenv("DAYBREAK_DATASET", runtime.settings.dataset)
    get_runtime.cache_clear()
    yield
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prices", "curve", *arguments])


def test_every_curve_is_that_of_the_published_night(runtime: Runtime) -> None:
    shop = {(one["store"], one["item"]): one for one in offers()}
    for row in rows(runtime, PROPOSED):
        key = row["store_id"], row["item_id"]
        found = demand_curve(*key, runtime=runtime).as_json()
        at = {point["price"]: point for point in found["points"]}
        assert found["currency"] == "JPY"
        assert found["generation_id"] == row["generation_id"]
        assert found["basis"] == "published"
        assert found["current"]["price"] == row["current_price"]
        for name in ("price", "units", "units_p10", "units_p90"):
            assert found["proposed"][name] == pytest.approx(float(row[name]), rel=1e-6)
        assert found["rule"] == row["rule"]
        assert list(at) == sorted(at)
        if at:
            points = [point for point in ladder(RULES) if point in allowed(RULES, shop[key])]
            assert list(at) == points
            assert found["lowest"] == {"price": points[0], "rule": row["lowest_rule"]}
            assert found["highest"] == {"price": points[-1], "rule": row["highest_rule"]}
        cost = shop[key]["cost"]
        assert found["cost"] == cost
        for price, point in at.items():
            assert point["units_p10"] <= point["units"] <= point["units_p90"]
            if cost is not None:
                assert point["margin"] == pytest.approx((price - cost) * point["units"], abs=0.51)
        if found["elasticity"] is not None:
            said = found["elasticity"]
            assert said["low"] <= said["mean"] <= said["high"] <= 0
            assert said["mean"] == pytest.approx(row["elasticity"])


def moving(runtime: Runtime) -> dict[str, Any]:
    """A proposal that changes a price."""
    return next(row for row in rows(runtime, PROPOSED) if row["price"] != row["current_price"])


def test_the_table_marks_prices_and_ends(runtime: Runtime) -> None:
    row = moving(runtime)
    said = run(row["store_id"], row["item_id"])
    assert said.exit_code == 0, said.output
    assert f"{row['item_id']} in {row['store_id']}, after {LAST}" in said.stdout
    assert "elasticity -" in said.stdout
    assert re.search(rf"^\s*{row['price']:,} .* proposed", said.stdout, re.MULTILINE)
    assert re.search(rf"^\s*{row['current_price']:,} .* current", said.stdout, re.MULTILINE)
    assert f"lowest: {row['lowest_rule']}" in said.stdout
    assert "margin (JPY)" in said.stdout
    numbers = re.findall(r"^\s*([\d,.]+) +[\d,.]+ ", said.stdout, re.MULTILINE)
    assert numbers
    assert not any("." in number for number in numbers), "yen are whole"

    held = run("渋谷", "箸").stdout
    assert "It stays: no_cost." in held
    assert "current, proposed" in held


def test_json_is_what_the_table_shows(runtime: Runtime) -> None:
    row = moving(runtime)
    found = json.loads(run(row["store_id"], row["item_id"], "--json").stdout)
    assert found == demand_curve(row["store_id"], row["item_id"], runtime=runtime).as_json()
    day = ("--date", LAST.isoformat())
    assert json.loads(run(row["store_id"], row["item_id"], "--json", *day).stdout) == found


def test_a_picture_is_one_page_with_the_curve_in_it(runtime: Runtime, tmp_path: Path) -> None:
    row = moving(runtime)
    file = tmp_path / "curve.html"
    said = run(row["store_id"], row["item_id"], "--out", str(file))
    assert said.exit_code == 0, said.output
    assert f"Drawn into {file}." in said.stdout
    page = file.read_text()
    assert not re.search(r"<(script|link)[^>]+(src|href)=\"(?!data:)", page), "all is in the page"
    figures = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    found = demand_curve(row["store_id"], row["item_id"], runtime=runtime).as_json()
    drawn = {
        one["name"]: one for text in figures for one in json.loads(text)["data"] if "name" in one
    }
    for name in ("units", "margin"):
        assert drawn[name]["x"] == [point["price"] for point in found["points"]]
        assert drawn[name]["y"] == [point[name] for point in found["points"]]
    assert drawn["proposed"]["x"] == [found["proposed"]["price"]]
    assert "price (JPY)" in page
    held = run("渋谷", "箸", "--out", str(tmp_path / "held.html"))
    assert held.exit_code == 0, held.output


def test_what_is_wrong_is_named(runtime: Runtime, tmp_path: Path) -> None:
    row = moving(runtime)
    for arguments, error, named in (
        (("渋谷", "珈琲"), NotFound, "The item '珈琲' is unknown"),
        (("京都", row["item_id"]), NotFound, "The store '京都' is unknown"),
        (("渋谷", "水", "--date", str(LAST - timedelta(days=1))), NotPublished, "Nothing of"),
        (("渋谷", "水", "--out", str(tmp_path / "a.svg")), InvalidRequest, "not drawn into"),
    ):
        said = run(*arguments)
        assert isinstance(said.exception, error)
        assert named in said.exception.message
        assert said.exception.remedy
