"""Training, gate and backtest on a warehouse: a shop whose response is known, and one without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

import small_shop
from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest, NoData
from daybreak.facts.series import read_panels, read_series
from daybreak.models.base import Trained
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.learn import LEARNING
from daybreak.models.pricing.response import periods, responses, statistics
from daybreak.registry.artifact import Artifact
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.synthetic.catalogue import CATEGORIES
from daybreak.warehouse.engine import begin, connect, make_engine

pytestmark = pytest.mark.slow

LAST = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def as_of(day: date) -> AsOf:
    return AsOf(day, datetime.combine(day + timedelta(days=1), time(6), UTC))


def artifact(trained: Trained, version: str = "2026-06-30-00000000") -> Artifact:
    return Artifact("pricing", version, b"", json.loads(json.dumps(trained.manifest)))


@pytest.fixture(scope="module")
def filled(postgres: Any) -> Iterator[Engine]:
    with postgres.database("warehouse_template") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBREAK_SYNTHETIC_STORES", "4")
        patch.setenv("DAYBREAK_SYNTHETIC_ITEMS", "30")
        patch.setenv("DAYBREAK_SYNTHETIC_START", "2025-03-01")
        patch.setenv("DAYBREAK_PAYMENTS_CARDS", "5")
        engine = make_engine(postgres.url(name))
        load_dataset(engine, load_spec("synthetic"), now=NOW)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def trained(filled: Engine) -> Trained:
    with connect(filled) as conn:
        return LEARNING.train(conn, as_of(LAST))


def test_a_version_passes_the_gate_where_demand_responds(filled: Engine, trained: Trained) -> None:
    with connect(filled) as conn:
        verdict = LEARNING.judge(conn, as_of(LAST), artifact(trained), None)
        assert verdict.passed, verdict.reason
        assert verdict.headline is not None
        assert verdict.headline.value < verdict.headline.baseline_value
        beside = LEARNING.judge(
            conn, as_of(LAST), artifact(trained), artifact(trained, "2026-05-31-00000000")
        )
        assert beside.passed
        behind = beside.evidence["against_champion"]["behind"]["champion"]["difference"]
        assert behind == 0.0
        kept = LEARNING.baseline(conn, as_of(LAST))
        assert kept is not None
        assert kept.trained.manifest == {
            "engine": "none",
            "baseline": "keep",
            "trained_through": "2026-06-30",
        }
        assert LEARNING.judge(
            conn, as_of(LAST), artifact(trained), artifact(kept.trained, "2026-05-31-11111111")
        ).passed


def test_a_night_answers_what_the_version_said(filled: Engine, trained: Trained) -> None:
    with connect(filled) as conn:
        series = read_series(conn, as_of(LAST), days=periods(1))
        panels = read_panels(
            conn, as_of(LAST), series, days=periods(1), ahead=28, slots=0, at_once=50
        )
        found = responses(
            [statistics([panel]) for panel in panels], Hyper.of(trained.manifest["options"])
        )
    true = {kind.name: kind.elasticity for kind in CATEGORIES}
    said = trained.manifest["responses"]["categories"]
    for name, e in zip(found.names, found.categories.elasticity, strict=True):
        assert e == pytest.approx(true[name], rel=0.35)
        assert said[name]["elasticity"] == pytest.approx(e, abs=1e-6)
    assert np.median(found.series.elasticity) == pytest.approx(-1.6, rel=0.15)
    assert len(found.series.elasticity) == len(series)


def test_the_backtest_finds_responses_at_later_changes(filled: Engine) -> None:
    said: list[str] = []
    with connect(filled) as conn:
        found = LEARNING.backtest(conn, LAST, as_of, {"origins": 2, "oracle": 20}, said.append)
        with pytest.raises(InvalidRequest, match="horizon"):
            LEARNING.backtest(conn, LAST, as_of, {"horizon": 3})
    json.dumps(found, allow_nan=False)
    assert found["bars"] == {
        "demand_falls_with_the_price": True,
        "seen_at_held_out_changes": True,
        "near_the_regression": True,
    }
    assert found["origin_dates"] == ["2025-12-30", "2026-03-31"]
    assert found["held_out"]["changes"] > 50
    lines = LEARNING.describe_backtest(found)
    assert any("Regression by dummies" in line for line in lines)
    assert any("Origin 2026-03-31" in line for line in said)


def test_demand_that_does_not_follow_prices_is_refused(shop: Engine) -> None:
    """And later facts change nothing: the version of a day stays the version of that day."""
    with connect(shop) as conn:
        first = LEARNING.train(conn, small_shop.AS_OF)
        verdict = LEARNING.judge(conn, small_shop.AS_OF, artifact(first), None)
        assert not verdict.passed
        assert verdict.reason.startswith("Refused: ")
    with begin(shop) as conn:
        conn.execute(
            text("UPDATE raw.sales SET units = 999 WHERE loaded_at > :cutoff"),
            {"cutoff": small_shop.CUTOFF},
        )
    with connect(shop) as conn:
        again: dict[str, Any] = LEARNING.train(conn, small_shop.AS_OF).manifest
    assert json.dumps(again) == json.dumps(first.manifest)


def test_without_prices_there_is_nothing_to_learn(shop: Engine) -> None:
    with begin(shop) as conn:
        conn.execute(text("UPDATE raw.sales SET price = NULL"))
        conn.execute(text("UPDATE raw.plan SET price = NULL"))
    with connect(shop) as conn, pytest.raises(NoData, match="No price is known"):
        LEARNING.train(conn, small_shop.AS_OF)


def test_without_sales_there_is_no_baseline_either(warehouse: Engine) -> None:
    with connect(warehouse) as conn, pytest.raises(NoData):
        LEARNING.baseline(conn, small_shop.AS_OF)
