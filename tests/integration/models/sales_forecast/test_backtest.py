"""Rolling origins from a real warehouse, and the command that prints them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert
from typer.testing import CliRunner

import toy
from daybreak.cli import app
from daybreak.clock import AsOf
from daybreak.errors import GateRefused, NoData
from daybreak.facts.panel import Panel
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.learn import backtest as backtest_module
from daybreak.models.sales_forecast.learn import gate
from daybreak.models.sales_forecast.learn import train as train_module
from daybreak.models.sales_forecast.learn.backtest import Fold, backtest
from daybreak.models.sales_forecast.learn.booster import Learning
from daybreak.models.sales_forecast.learn.folds import read_folds
from daybreak.models.sales_forecast.learn.train import Options, train_panel
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import day_closed, load, sales
from small_shop import AS_OF, DAY

pytestmark = pytest.mark.slow  # trains

QUICK = Options(
    origins=8,
    rows=1500,
    held_out_rows=600,
    learning=Learning(rounds=10, least_rounds=8, patience=2, depth=3),
    threads=1,
)


def as_of(day: date) -> AsOf:
    return AsOf(day, AS_OF.cutoff + (day - DAY))


@pytest.fixture
def folds(shop: Engine) -> list[Fold]:
    with connect(shop) as conn:
        return list(read_folds(conn, DAY, as_of, items=3, horizon=14, origins=2))


def test_folds_end_on_their_origins_and_hold_what_came_after(folds: list[Fold]) -> None:
    first, last = folds

    assert first.panel.business_date < last.panel.business_date < DAY
    assert len(set(last.panel.item_ids)) == 3
    assert last.actual.shape == (len(last.panel), HORIZON)
    known = (DAY - last.panel.business_date).days
    assert np.isfinite(last.actual[:, :known]).all()
    assert np.isnan(last.actual[:, known:]).all()
    # What the earlier origin calls the future is what the later one calls the past.
    gap = (last.panel.business_date - first.panel.business_date).days
    past = last.panel.units[:, -gap:]
    both = np.array(
        [
            (first.panel.store_ids == store) & (first.panel.item_ids == item)
            for store, item in zip(last.panel.store_ids, last.panel.item_ids, strict=True)
        ]
    ).argmax(axis=1)
    is_open = last.panel.open[:, last.panel.days - gap : last.panel.days]
    same = first.actual[both][:, :gap] == past
    assert same[is_open].mean() > 0.9  # but for corrections that came later


def test_a_fact_loaded_after_an_origin_is_not_in_its_panel(shop: Engine, folds: list[Fold]) -> None:
    origin = folds[0].panel.business_date
    late = {
        "business_date": origin,
        "store_id": "A",
        "item_id": "tea",
        "units": 12345.0,
        "load_id": 9,
        "loaded_at": as_of(origin).cutoff + timedelta(seconds=1),
    }
    with begin(shop) as conn:
        conn.execute(insert(sales).values(late))
    with connect(shop) as conn:
        again = list(read_folds(conn, DAY, as_of, items=3, horizon=14, origins=2))

    assert again[0].panel.units.tobytes() == folds[0].panel.units.tobytes()
    assert 12345.0 in again[1].panel.units


def test_more_origins_than_the_history_holds_are_refused(shop: Engine) -> None:
    with connect(shop) as conn, pytest.raises(NoData, match="too few for 40 origins"):
        list(read_folds(conn, DAY, as_of, items=3, horizon=14, origins=40))


def test_the_result_has_every_number_that_is_promised(folds: list[Fold]) -> None:
    trained_on: list[str] = []

    def trainer(panel: Panel) -> Trained:
        trained_on.append(panel.business_date.isoformat())
        return train_panel(panel, options=QUICK)

    found = backtest(iter(folds), horizon=14, trainer=trainer)

    assert found["origin_dates"] == trained_on

    assert found["origins"] == 2
    assert found["horizon"] == 14
    assert found["series"] == len(folds[1].panel)
    assert found["wape"].keys() == {"model", "seasonal_naive", "mean_28", "median_56"}
    assert found["pinball"].keys() == {"model", "empirical"}
    for name in ("p10", "p50", "p90"):
        shares = found["calibration"][name]
        assert 0 <= shares["below"] <= shares["at_or_below"] <= 1
    assert list(map(int, found["by_horizon"])) == list(range(1, 15))
    assert set(found["by_segment"]["category"]) == {"drink", "food"} & set(
        folds[1].panel.categories
    )
    assert found["closed_days"]["rows"] > 0
    assert found["closed_days"]["largest_forecast"] == 0
    assert found["wape"]["model"] < found["wape"]["seasonal_naive"]
    json.dumps(found)


@pytest.fixture
def served(shop: Engine, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime on the small shop, as the commands find it."""
    url = shop.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    monkeypatch.setenv("DAYBREAK_DATASET", "small")
    get_runtime.cache_clear()
    yield get_runtime()
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def close_days(runtime: Runtime) -> None:
    with begin(runtime.engine) as conn:
        conn.execute(insert(load).values(_load_row()))
        days = [DAY - timedelta(days=back) for back in range(120)]
        conn.execute(
            insert(day_closed),
            [
                {
                    "business_date": day,
                    "closed_at": datetime.combine(day, AS_OF.cutoff.time(), AS_OF.cutoff.tzinfo),
                    "load_id": 1,
                }
                for day in days
            ],
        )


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_says_what_to_load(served: Runtime) -> None:
    result = run("backtest", "sales_forecast", "--dataset", "small")

    assert isinstance(result.exception, NoData)
    assert "holds no closed day of the data set small" in result.exception.message
    assert "daybreak data load small" in result.exception.remedy


def test_the_command_prints_one_json_object(
    served: Runtime, monkeypatch: pytest.MonkeyPatch, quick_training: None
) -> None:
    close_days(served)

    arguments = ("backtest", "sales_forecast", "--items", "2", "--horizon", "7", "--origins")
    as_json, plain = run(*arguments, "2", "--json"), run(*arguments, "1")

    assert as_json.exit_code == 0, as_json.exception
    found = json.loads(as_json.stdout)
    assert found["dataset"] == "small"
    assert found["origins"] == 2
    assert "WAPE of P50" in plain.stdout
    assert "seasonal_naive" in plain.stdout


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_module, "Options", lambda: QUICK)


def test_a_refused_challenger_is_registered_but_not_champion(
    served: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "Options", lambda: QUICK)
    monkeypatch.setattr(gate, "AS_GOOD", 0.5)  # nothing halves the error of a median on noise
    close_days(served)

    plain = run("train", "sales_forecast", "--as-of", DAY.isoformat())

    assert isinstance(plain.exception, GateRefused)
    assert "Refused: pinball loss" in plain.stdout
    assert "overrules the gate" in plain.exception.remedy
    found = json.loads(run("models", "list", "--json").stdout)
    assert [one["version"][:10] for one in found] == [DAY.isoformat()] * 2
    refused, baseline = sorted(found, key=lambda one: one["champion"])
    assert (refused["gate"], refused["champion"]) == ("refused", False)
    assert (baseline["gate"], baseline["champion"]) == ("baseline", True)
    assert baseline["version"] in plain.exception.remedy
    (entry,) = json.loads(run("models", "history", "sales_forecast", "--json").stdout)
    assert entry["version"] == baseline["version"]
    assert "answers until a version passes the gate" in entry["reason"]


def test_an_option_of_another_model_is_refused_with_those_there_are(served: Runtime) -> None:
    close_days(served)

    result = run("backtest", "sales_forecast", "--windows", "3")

    assert "There is no option windows here" in result.exception.message
    assert "horizon (a whole number from 1 to 92, default 14)" in result.exception.remedy


def test_versions_and_champions_are_listed_and_promoted_by_hand(
    served: Runtime, make_artifact: Callable[[], str]
) -> None:
    assert "never had a champion" in run("models", "history", "sales_forecast").stdout
    assert "No version is registered" in run("models", "list").stdout
    version = make_artifact()

    promoted = run("models", "promote", "sales_forecast", version, "--reason", "a trial")
    again = run("models", "promote", "sales_forecast", version, "--reason", "a trial")
    entries = json.loads(run("models", "history", "sales_forecast", "--json").stdout)

    assert f"{version} is champion" in promoted.stdout
    assert "already" in again.stdout
    assert [entry["version"] for entry in entries] == [version]
    assert entries[0]["reason"] == "a trial"
    assert "a trial" in run("models", "history", "sales_forecast").stdout
    assert version in run("models", "list").stdout
    assert json.loads(run("models", "list", "--json").stdout)[0]["version"] == version


@pytest.fixture
def make_artifact(served: Runtime) -> Callable[[], str]:
    return lambda: served.registry.register(
        "sales_forecast", toy.booster(), {"trained_through": "2026-03-10"}
    )


def _load_row() -> dict[str, Any]:
    return {
        "dataset": "small",
        "source": "sales",
        "uri": "test",
        "sha256": "0" * 64,
        "reading": "0" * 64,
        "rows_read": 1,
        "rows_loaded": 1,
        "rows_quarantined": 0,
        "rules": {},
        "finished_at": AS_OF.cutoff,
    }
