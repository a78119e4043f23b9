"""What the night left of a price: ``daybreak prices curve`` beside the table, and the page."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from flask.testing import FlaskClient
from sqlalchemy import make_url, text
from typer.testing import CliRunner, Result

from daybreak.cli import app
from daybreak.errors import InvalidRequest, NotFound, NotPublished
from daybreak.jobs.curves import demand_curve
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import SERVICE_ROLE, WRITER_ROLE
from page_app import Elements, browser, key_of, page_app
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


# The page


@pytest.fixture(scope="module")
def service(postgres: Any, runtime: Runtime) -> Iterator[Runtime]:
    """With the rights of the service, and for reports those of the reader."""
    name = make_url(runtime.settings.warehouse_dsn).database
    given = Settings(
        home=runtime.settings.home,
        dataset=runtime.settings.dataset,
        warehouse_url=postgres.url(name, SERVICE_ROLE),
        warehouse_reader_url=postgres.url(name),  # becomes the reader
    )
    made = Runtime(given, runtime.clock, "service")
    yield made
    for engine in (made.engine, made.report_engine):
        engine.dispose()


@pytest.fixture(scope="module")
def viewer(service: Runtime, runtime: Runtime) -> FlaskClient:
    """Somebody who may look, where nothing can be done."""
    return browser(page_app(service, acts=False), key_of(runtime, "predict"))


def seen(viewer: FlaskClient, **asked: Any) -> str:
    answer = viewer.get("/ui/prices", query_string=asked)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


def of_csv(viewer: FlaskClient, table: str, **asked: Any) -> list[dict[str, str]]:
    answer = viewer.get("/ui/prices", query_string={"csv": table, **asked})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))


def figures(page: str) -> dict[str, Any]:
    return {
        str(given["id"]): json.loads(data) for given, data in Elements(page).inline if "id" in given
    }


def test_the_page_has_the_numbers_of_the_command(runtime: Runtime, viewer: FlaskClient) -> None:
    for row in rows(runtime, PROPOSED):
        key = {"store": row["store_id"], "item": row["item_id"]}
        found = json.loads(run(*key.values(), "--json").stdout)
        by_price = {one["price"]: one for one in (found["current"], *found["points"])}
        points = [by_price[price] for price in sorted(by_price)]
        page = seen(viewer, day=LAST.isoformat(), **key)
        drawn = figures(page)
        for value in ("units", "margin"):
            figure = f"figure-{value}-by-price"
            if found["cost"] is None and value == "margin":
                assert figure not in drawn
                continue
            listed = of_csv(viewer, f"{value}-by-price", **key)
            names = ["price", value] + ["units_p10", "units_p90"] * (value == "units")
            assert [{name: float(one[name]) for name in names} for one in listed] == [
                {name: one[name] for name in names} for one in points
            ]
            traces = {one["name"]: one for one in drawn[figure]["data"] if "name" in one}
            on_curve = found["points"] or [found["current"]]
            assert traces[value]["x"] == [one["price"] for one in on_curve]
            assert traces[value]["y"] == [one[value] for one in on_curve]
            for which in ("current", "proposed"):
                assert traces[which]["x"] == [found[which]["price"]]
                assert traces[which]["y"] == [found[which][value]]
            rails = {
                one["name"]: one["x0"] for one in drawn[figure]["layout"]["shapes"] if "name" in one
            }
            assert rails == {
                f"{end}: {found[end]['rule'].replace('_', ' ')}": found[end]["price"]
                for end in ("lowest", "highest")
                if found["points"]
            }
        if found["rule"]:
            assert f"{found['rule'].replace('_', ' ')}.</p>" in page


def test_where_no_item_is_named_it_is_the_change_that_gains_most(
    runtime: Runtime, viewer: FlaskClient
) -> None:
    first = min(
        (row for row in rows(runtime, PROPOSED) if row["place"]),
        key=lambda row: (row["place"], row["store_id"], row["item_id"]),
    )
    said = f"{first['item_id']} in {first['store_id']}, after {LAST}"
    assert said in seen(viewer)
    assert "Name a store and an item." in seen(viewer, item=first["item_id"])
    links = Elements(seen(viewer)).values("a", "href")
    (own,) = [one for one in links if one.endswith("#curve")][:1]
    assert said in re.sub(r"\s+", " ", viewer.get(f"/ui/prices{own}").get_data(as_text=True))


def test_names_of_rules_are_words_on_the_page_and_names_in_csv(
    runtime: Runtime, viewer: FlaskClient
) -> None:
    named = {one["rule"] for one in rows(runtime, PROPOSED)}
    assert {"largest_change", "no_cost"} <= named
    rails = {one[name] for one in rows(runtime, PROPOSED) for name in ("lowest_rule", "rule")}
    page = seen(viewer)
    assert not [rule for rule in named | rails if "_" in rule and rule in page]
    assert {one["rule"] for one in of_csv(viewer, "rules")} == named
    changes = of_csv(viewer, "changes")
    expected = [row for row in rows(runtime, PROPOSED) if row["place"]]
    assert {(one["store_id"], one["item_id"], one["highest_rule"]) for one in changes} == {
        (row["store_id"], row["item_id"], row["highest_rule"]) for row in expected
    }
    assert {one["currency"] for one in changes} == {"JPY"}


def test_a_price_without_a_curve_has_a_sentence(
    service: Runtime, runtime: Runtime, viewer: FlaskClient
) -> None:
    row = moving(runtime)
    key = {"store": row["store_id"], "item": row["item_id"]}
    for asked, said in (
        ({**key, "item": "珈琲"}, "The item &#39;珈琲&#39; is unknown"),
        ({**key, "store": "京都"}, "The store &#39;京都&#39; is unknown"),
        ({"day": (LAST - timedelta(days=1)).isoformat()}, "there are no demand curves of it"),
    ):
        page = seen(viewer, **asked)
        assert said in page
        assert "by-price" not in page
    with pruned(runtime):
        page = seen(viewer, **key)
        assert "is older than those that are kept" in page
        assert "daybreak score pricing" in page
        assert "Changes that gain most" in page
        assert "by-price" not in page
    assert "figure-units-by-price" in seen(viewer, **key)


@contextmanager
def pruned(runtime: Runtime) -> Iterator[None]:
    """As when the snapshots of prices are older than those that are kept."""
    gone = "UPDATE ops.snapshot SET pruned_at = {} WHERE model = 'pricing'"
    try:
        with begin(runtime.engine) as conn:
            conn.execute(text(gone.format("now()")))
        yield
    finally:
        with begin(runtime.engine) as conn:
            conn.execute(text(gone.format("NULL")))


def test_who_may_not_see_the_model_sees_no_curve(service: Runtime, runtime: Runtime) -> None:
    """As in Airflow, where rights go by DAG."""

    class Narrow:
        def authenticate(self, request: Request) -> Caller:
            return Caller("ann", "ann", lambda scope, model: model in {None, "sales_forecast"})

    client = create_app(service, authenticator=Narrow()).test_client()
    row = moving(runtime)
    for more in ({}, {"csv": "units-by-price"}):
        asked = {"store": row["store_id"], "item": row["item_id"], **more}
        refused = client.get("/ui/prices", query_string=asked)
        assert refused.status_code == 403
        assert "You may not see pricing." in refused.get_data(as_text=True)
