"""Data sets that are no shop's days of sales, from the YAML file to report view and endpoint."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from anybody import Anybody
from daybreak.cli import app
from daybreak.errors import GateRefused, InvalidRequest, PeriodOpen
from daybreak.runtime import get_runtime
from daybreak.serving.app import create_app
from page_app import VIEWS, browser, key_of, page_app

pytestmark = pytest.mark.slow

ANNOUNCED = """\
  known_ahead: {promotion: 28d}
"""
SALES = """\
name: shop
arrival_lag: 1h
sales:
  files: ${HERE}/sales.csv
  columns: {business_date: day, store_id: shop, item_id: item, units: sold, promotion: offer}
"""
WEEKS = """\
calendar: {period: week, week_starts: sunday, country: GB}
"""
RATINGS = """\
name: ratings
arrival_lag: 1h
interactions:
  files: ${HERE}/ratings.csv
  columns: {event_at: at, user_id: user, item_id: film, kind: {const: rating}}
  weights: {rating: 1}
"""


@pytest.fixture
def place(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """Commands find a warehouse of their own through the environment, as they do outside."""
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAYBREAK_DATASET", str(tmp_path / "mine.yaml"))
    get_runtime.cache_clear()
    yield monkeypatch
    forget_runtime()


def forget_runtime() -> None:
    """Settings and connections are made anew by the next command."""
    for engine in (get_runtime().engine, get_runtime().report_engine):
        engine.dispose()
    get_runtime.cache_clear()


def run(*arguments: str) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def put_in_force(model: str, day: date) -> dict[str, Any]:
    """Train as of ``day`` and see to it that the version is champion, gate or not."""
    arguments = ["train", model, "--as-of", day.isoformat(), "--json"]
    try:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        outcome: dict[str, Any] = json.loads(result.stdout)
    except GateRefused as refused:  # tiny data: whether it beats the baselines is not the matter
        version = refused.details["version"]
        moment = (day - timedelta(days=30)).isoformat()
        run("models", "promote", model, version, "--reason", "test", "--from", moment)
        outcome = {"version": version}
    manifest = get_runtime().registry.load(model, outcome["version"]).manifest
    return manifest


def client() -> FlaskClient:
    return create_app(get_runtime(), authenticator=Anybody()).test_client()


def ask(model: str, **body: Any) -> dict[str, Any]:
    response = client().post(f"/v1/models/{model}/predict", json=body)
    answer: dict[str, Any] = response.get_json()
    assert response.status_code == 200, answer
    return answer


def look_at_all_views() -> dict[str, str]:
    """The text of each view of the page; those of models without data are not there."""
    tab = browser(page_app(get_runtime()), key_of(get_runtime(), "predict"))
    found = {}
    for view in VIEWS:
        answer = tab.get(f"/ui/{view}")
        assert answer.status_code in {200, 404}, answer.get_data(as_text=True)
        if answer.status_code == 200:
            found[view] = answer.get_data(as_text=True)
    return found


def write(file: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)


def sales_of(file: Path, days: Sequence[date], seed: int = 1) -> None:
    """Two shops with five items; an offer every ninth day or so."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, day in enumerate(days):
        offer = number % 9 == 0
        for shop in ("north", "south"):
            for item in range(5):
                sold = rng.poisson((item + 2) * (1.6 if offer else 1))
                rows.append((day, shop, f"i{item}", sold, offer))
    write(file, ("day", "shop", "item", "sold", "offer"), rows)


def equal_bits(engine: Engine, answer: dict[str, Any], query: str, **values: Any) -> None:
    """The one prediction of an answer is the row of a report view, bit for bit."""
    row = answer["predictions"][0]
    with engine.connect() as conn:
        found = conn.execute(text(query), values).one()
    for name in ("p10", "p50", "p90", "mean"):
        assert np.float32(row[name]) == np.float32(found._mapping[name])


FORECAST = """
SELECT * FROM report.forecast
WHERE store_id = :store AND item_id = :item AND target_date = :day
"""


@pytest.mark.parametrize("horizon", [1, 42])
def test_a_horizon_of_ones_own(
    place: pytest.MonkeyPatch, tmp_path: Path, warehouse: Engine, horizon: int
) -> None:
    place.setenv("DAYBREAK_MODEL_OPTIONS", json.dumps({"sales_forecast": {"horizon": horizon}}))
    first, last = date(2024, 11, 1), date(2025, 6, 30)
    (tmp_path / "mine.yaml").write_text(SALES + ANNOUNCED)
    sales_of(tmp_path / "sales.csv", [first + timedelta(n) for n in range((last - first).days + 1)])
    day = last - timedelta(days=horizon)

    run("data", "load", str(tmp_path / "mine.yaml"))
    manifest = put_in_force("sales_forecast", day)
    published = run("score", "sales_forecast", "--business-date", day.isoformat())

    assert manifest["options"] == {"horizon": horizon}
    assert published["rows"] == 10 * horizon
    answer = ask("sales_forecast", store="north", item="i2", date=last.isoformat())
    equal_bits(warehouse, answer, FORECAST, store="north", item="i2", day=last)
    assert answer["predictions"][0]["horizon"] == horizon
    beyond = client().post(
        "/v1/models/sales_forecast/predict",
        json={"store": "north", "item": "i2", "date": (last + timedelta(1)).isoformat()},
    )
    assert beyond.status_code == 422
    assert beyond.get_json()["error"]["details"]["last"] == last.isoformat()
    with warehouse.connect() as conn:
        actual = conn.execute(
            text("SELECT count(*), max(horizon), min(horizon) FROM report.forecast_actual")
        ).one()
        assert tuple(actual) == (10 * horizon, horizon, 1)
        assert conn.scalar(text("SELECT options FROM ops.snapshot")) == {"horizon": horizon}
    # What the operator sets later is for the next version: this one goes on as it was trained.
    place.setenv("DAYBREAK_MODEL_OPTIONS", json.dumps({"sales_forecast": {"horizon": 7}}))
    forget_runtime()
    again = run("score", "sales_forecast", "--business-date", (day + timedelta(1)).isoformat())
    assert again["rows"] == 10 * horizon


def test_weeks_from_file_to_report_and_endpoint(
    place: pytest.MonkeyPatch, tmp_path: Path, warehouse: Engine
) -> None:
    (tmp_path / "mine.yaml").write_text(WEEKS + SALES + "  known_ahead: {promotion: 91d}\n")
    tuesdays = [date(2023, 1, 3) + timedelta(weeks=n) for n in range(110)]
    sales_of(tmp_path / "sales.csv", tuesdays)
    day = date(2024, 11, 9)  # a Saturday, the last day of the week of Tuesday the 5th
    assert day - timedelta(days=4) == tuesdays[96]

    loaded = run("data", "load", str(tmp_path / "mine.yaml"))
    with pytest.raises(InvalidRequest, match="2024-11-07 is no business date") as refused:
        run("score", "sales_forecast", "--business-date", "2024-11-07")
    manifest = put_in_force("sales_forecast", day)
    published = run("score", "sales_forecast", "--business-date", day.isoformat())

    assert refused.value.remedy == "Ask for 2024-11-09, the end of that week."
    assert loaded["days_closed"] == 110
    assert manifest["options"] == {"horizon": 13, "period_days": 7}
    assert published["rows"] == 10 * 13
    target = day + timedelta(weeks=5)
    wednesday = target - timedelta(days=3)
    within = ask("sales_forecast", store="north", item="i2", date=wednesday.isoformat())
    assert within["predictions"][0]["target_date"] == target.isoformat()
    assert within["predictions"][0]["horizon"] == 5
    equal_bits(warehouse, within, FORECAST, store="north", item="i2", day=target)
    with warehouse.connect() as conn:
        row = conn.execute(
            text(
                "SELECT count(*) AS rows, count(DISTINCT horizon) AS weeks, "
                "sum(absolute_error_naive) > 0 AS naive, bool_and(open) FROM "
                "report.forecast_accuracy JOIN report.forecast_actual "
                "USING (business_date, store_id, item_id, horizon)"
            )
        ).one()
        assert tuple(row) == (130, 13, True, True)
        newest = conn.execute(
            text(
                "SELECT DISTINCT naive.units = actual.naive FROM report.forecast_actual AS actual "
                "JOIN raw.sales AS naive ON naive.business_date = :day "
                "AND naive.store_id = actual.store_id AND naive.item_id = actual.item_id"
            ),
            {"day": day},
        ).scalars()
        assert list(newest) == [True], "the naive forecast of each week is the newest week"
        calendar = conn.execute(
            text("SELECT days, open, holiday FROM raw.calendar WHERE business_date = '2024-12-28'")
        ).one()
        assert tuple(calendar) == (7, True, "Christmas Day; Boxing Day")
    tested = run("backtest", "sales_forecast", "--origins", "2", "--horizon", "4")
    assert tested["origin_dates"] == ["2024-12-14", "2025-01-11"], "four weeks and eight back"
    assert tested["rows"] == 2 * 4 * 10
    views = look_at_all_views()
    assert {"", "forecast", "accuracy", "models", "data", "reports"} == set(views)
    assert "2024-11-09" in views[""]
    assert target.isoformat() in views["forecast"]
    reported = run("report", "sales_forecast", "--period", "2024-W46")
    assert (reported["first_date"], reported["last_date"]) == ("2024-11-11", "2024-11-17")
    with pytest.raises(PeriodOpen, match="2025-02-09"):
        run("report", "sales_forecast", "--period", "2025-W06")  # its Sunday begins another week


def test_ratings_alone_from_file_to_report_and_endpoint(
    place: pytest.MonkeyPatch, tmp_path: Path, warehouse: Engine
) -> None:
    (tmp_path / "mine.yaml").write_text(RATINGS)
    rng = np.random.default_rng(4)
    first, films = date(2025, 1, 1), 25
    rows = []
    for user in range(60):
        taste = rng.integers(0, 2)
        for film in rng.choice(films, 9, replace=False):
            at = first + timedelta(days=int(rng.integers(0, 120)))
            if film % 2 == taste or rng.random() < 0.3:
                rows.append((f"{at} 10:{user:02}", f"u{user:02}", f"f{film:02}"))
    write(tmp_path / "ratings.csv", ("at", "user", "film"), sorted(rows))
    day = date(2025, 4, 29)

    run("data", "load", str(tmp_path / "mine.yaml"))
    put_in_force("recommendations", day)
    published = run("score", "recommendations", "--business-date", day.isoformat())

    assert published["rows"] > 0
    listed = ask("recommendations", user_id="u07")["predictions"]
    with warehouse.connect() as conn:
        found = conn.execute(
            text("SELECT * FROM report.recommendation WHERE user_id = 'u07' ORDER BY rank")
        ).all()
    assert [row["item_id"] for row in listed] == [row.item_id for row in found][: len(listed)]
    assert [np.float32(row["score"]) for row in listed] == [np.float32(row.score) for row in found][
        : len(listed)
    ]
    offered = client().get("/v1/models").get_json()["models"]
    assert "sales_forecast" not in {one["model"] for one in offered if not one.get("absent")}
    views = look_at_all_views()
    assert {"", "lists", "hits", "models", "data", "reports"} == set(views)
    assert run("report", "recommendations", "--period", day.isoformat())["nights"] == 1


def test_a_covariate_that_comes_later_moves_no_other(
    place: pytest.MonkeyPatch, tmp_path: Path, warehouse: Engine
) -> None:
    """The version goes on with the covariate that it learned from, wherever it is by then."""
    rng = np.random.default_rng(5)
    first, day = date(2025, 1, 1), date(2025, 6, 1)
    rows = []
    for number in range(180):
        rain, fog = rng.normal(size=2).round(2)
        for item in range(3):
            sold = rng.poisson(max(0.5, (item + 2) * (2 + rain)))
            rows.append((first + timedelta(number), "north", f"i{item}", sold, 0, rain, fog))
    header = ("day", "shop", "item", "sold", "offer", "rain", "fog")
    write(tmp_path / "sales.csv", header, rows)
    mapped = SALES.replace("promotion: offer", "promotion: offer, rain: rain")
    with_rain = mapped + "  covariates: [rain]\n  known_ahead: {rain: 28d}\n"
    with_fog = mapped.replace("rain: rain", "rain: rain, fog: fog")
    with_fog += "  covariates: [rain, fog]\n  known_ahead: {rain: 28d, fog: 28d}\n"

    (tmp_path / "mine.yaml").write_text(with_rain)
    run("data", "load", str(tmp_path / "mine.yaml"))
    assert put_in_force("sales_forecast", day)["layout"]["covariates"] == ["rain"]
    run("score", "sales_forecast", "--business-date", day.isoformat())
    before = _forecast(warehouse)
    (tmp_path / "mine.yaml").write_text(with_fog)
    run("data", "load", str(tmp_path / "mine.yaml"))
    latest = ("--business-date", day.isoformat(), "--knowledge", "latest")
    run("score", "sales_forecast", *latest)

    with warehouse.connect() as conn:
        generations = conn.scalar(text("SELECT count(DISTINCT snapshot_id) FROM ops.generation"))
    assert generations == 2
    assert _forecast(warehouse) == before


def _forecast(engine: Engine) -> list[tuple[Any, ...]]:
    query = "SELECT item_id, horizon, p10, p50, p90, mean FROM report.forecast ORDER BY 1, 2"
    with engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(query))]
