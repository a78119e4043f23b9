"""The sharper test: a shop whose noise floor and planted effects are known, from YAML to backtest.

Smaller than the demo's shop, so that it takes a minute; ``docs/forecast-model.md`` has the numbers
of the whole one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
import xgboost as xgb
from sqlalchemy import Engine

from daybreak.clock import AsOf
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.layout import HISTORY
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.learn.backtest import Fold, backtest
from daybreak.models.sales_forecast.learn.folds import read_folds
from daybreak.models.sales_forecast.learn.train import train_panel
from daybreak.models.sales_forecast.link import link
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.synthetic import Shop, ShopOptions, floor_wape, generate
from daybreak.warehouse.engine import connect, make_engine

pytestmark = pytest.mark.slow

STORES, ITEMS = 5, 48
LAST = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(postgres) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    with postgres.database("warehouse_template") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBREAK_SYNTHETIC_STORES", str(STORES))
        patch.setenv("DAYBREAK_SYNTHETIC_ITEMS", str(ITEMS))
        patch.setenv("DAYBREAK_PAYMENTS_CARDS", "5")
        engine = make_engine(postgres.url(name))
        load_dataset(engine, load_spec("synthetic"), now=NOW)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate(ShopOptions(stores=STORES, items=ITEMS))


@pytest.fixture(scope="module")
def fold(filled: Engine) -> Fold:
    with connect(filled) as conn:
        folds = read_folds(
            conn,
            LAST,
            lambda day: AsOf(day, datetime.combine(day + timedelta(days=1), time(6), UTC)),
            items=ITEMS,
            horizon=HORIZON,
            origins=1,
        )
        return next(folds)


@pytest.fixture(scope="module")
def trained(fold: Fold) -> Trained:
    return train_panel(fold.panel)


def test_the_forecast_comes_within_15_percent_of_the_noise_floor(
    fold: Fold, trained: Trained, shop: Shop
) -> None:
    found = backtest(iter([fold]), horizon=HORIZON, trainer=lambda _panel: trained)

    origin = fold.panel.business_date
    floor = floor_wape(shop.truth, first=origin + timedelta(days=1), last=LAST)
    assert found["series"] == STORES * ITEMS
    assert found["wape"]["model"] <= 1.15 * floor
    assert found["closed_days"]["rows"] > 0
    assert found["closed_days"]["largest_forecast"] == 0
    assert [name for name, passed in found["bars"].items() if not passed] == []


# What is asked, beside what, and what the planted effects make of it: price as a multiple of the
# series' usual price, and whether it is promoted.
QUESTIONS = {
    "a promotion at the same price": ((0.9, 1), (0.9, 0)),
    "a promotion with its price cut": ((0.8, 1), (1.0, 0)),
    "a deeper price cut within a promotion": ((0.7, 1), (0.9, 1)),
    "a lower price without a promotion": ((0.92, 0), (1.08, 0)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_planted_effects_are_recovered_in_sign_and_size(
    fold: Fold, trained: Trained, shop: Shop, question: str
) -> None:
    panel, catalogue = fold.panel, shop.truth.catalogue
    item = np.searchsorted(catalogue.item_ids.astype(str), panel.item_ids.astype(str))
    rows = np.repeat(np.arange(len(panel)), HORIZON)
    values = snapshot(panel)
    usual = values[rows, HISTORY.index("reference_price")]
    booster = xgb.Booster(model_file=bytearray(trained.booster))

    def mean(price: float, promotion: float) -> np.ndarray:
        X = assemble(
            values,
            panel.business_date,
            np.tile(np.arange(1, HORIZON + 1), len(panel)),
            rows,
            {"price": usual * np.float32(price), "promotion": promotion},
        )
        margins = booster.inplace_predict(X, predict_type="margin")
        return link(margins, X, trained.manifest)["mean"].astype(np.float64)

    (price, promotion), (other_price, other_promotion) = QUESTIONS[question]
    asked, beside = mean(price, promotion), mean(other_price, other_promotion)

    planted = (price / other_price) ** catalogue.elasticity[item]
    planted *= np.where(promotion > other_promotion, catalogue.promotion_uplift[item], 1.0)
    expected = (beside * planted[rows]).sum() / beside.sum() - 1
    found = asked.sum() / beside.sum() - 1
    assert expected > 0.1
    assert 0.85 * expected <= found <= 1.15 * expected
