"""Weekly windows on the real file through the warehouse, and planted tastes that must come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from sqlalchemy import Engine

from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest
from daybreak.facts.events import Events
from daybreak.models.base import SnapshotRows, Trained
from daybreak.models.recommendations.features.assemble import assemble
from daybreak.models.recommendations.features.candidates import Ragged, Wish, candidates
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.cells import until
from daybreak.models.recommendations.features.histories import default_row
from daybreak.models.recommendations.features.learned import FILE, Learned
from daybreak.models.recommendations.learn import LEARNING
from daybreak.models.recommendations.learn import backtest as backtest_module
from daybreak.models.recommendations.learn.backtest import backtest_windows, bars
from daybreak.models.recommendations.learn.baselines import BASELINES
from daybreak.models.recommendations.learn.day import Day, chosen, day_of
from daybreak.models.recommendations.learn.evaluate import MEASURES, model_lister, trees
from daybreak.models.recommendations.learn.neighbours import Kernels
from daybreak.models.recommendations.learn.rolling import describe, roll
from daybreak.models.recommendations.learn.train import Options, Ranker, train_events
from daybreak.models.recommendations.lists import best, square
from daybreak.models.recommendations.reasons import reasons
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.synthetic import Shop, ShopOptions, generate
from daybreak.warehouse.engine import connect, make_engine
from random_events import TODAY, random_events
from synthetic_events import synthetic_events

pytestmark = pytest.mark.slow  # trains

LAST = date(2011, 12, 9)


def as_of(day: date) -> AsOf:
    return AsOf(day, datetime.combine(day + timedelta(days=1), time(6), UTC))


@pytest.fixture(scope="module")
def real(postgres: Any, online_retail: Path) -> Iterator[Engine]:
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        spec = load_spec("online_retail", path=str(online_retail))
        load_dataset(engine, spec, now=datetime(2012, 1, 1, tzinfo=UTC))
        yield engine
        engine.dispose()


@pytest.mark.timeout(2400)  # a training takes some minutes on a busy machine
def test_on_real_sales_the_lists_are_better_than_every_single_source(real: Engine) -> None:
    with connect(real) as conn:
        # One week, as each takes a training. `benchmarks.quality` has more of them.
        found = LEARNING.backtest(conn, LAST, as_of, {"windows": 1})

    json.dumps(found)
    assert all(found["bars"].values()), found["bars"]
    assert len(found["bars"]) == 4
    assert (found["windows"], found["users"], found["users_new"]) == (1, 432, 378)
    (week,) = found["window_dates"]
    assert (week["first"], week["last"]) == ("2011-12-03", LAST.isoformat())
    for reading, gain in (("all", 1.05), ("new", 1.10)):
        for measure in ("ndcg@10", "recall@20"):
            single = max(found[reading][name][measure] for name in BASELINES)
            assert found[reading]["model"][measure] >= gain * single
        assert found[reading]["model"]["recall@20"] < found["ceiling"][reading]
    # What the single sources reach when they are well tuned; weaker ones would be easy to beat.
    for name, least in (("repeat", 0.32), ("bm25", 0.285), ("als", 0.265), ("popularity", 0.115)):
        assert found["all"][name]["ndcg@10"] > least
    for name, least in (("bm25", 0.079), ("als", 0.08), ("popularity", 0.043)):
        assert found["new"][name]["ndcg@10"] > least


QUICK = Options(
    weeks=3,
    enough=0,
    negatives=10,
    sessions=10,
    kernels=Kernels(neighbours=8),
    ranker=Ranker(rounds=8, least_rounds=4, patience=2, depths=(3,), least_weight=1.0),
)


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    events = random_events(61, users=40, items=40, events=3000)
    days: list[date] = []

    def read(day: date) -> Events:
        days.append(day)
        return until(events, (day - EPOCH).days)

    def trainer(known: Events, day: date) -> Trained:
        assert known.day.max() <= (day - EPOCH).days
        return train_events(known, day, options=QUICK)

    found = backtest_windows(read, TODAY, windows=2, trainer=trainer)
    assert days == [TODAY, TODAY - timedelta(days=14), TODAY - timedelta(days=7)]
    return found


def test_the_backtest_has_every_measure_of_every_source(small: dict[str, Any]) -> None:
    assert json.loads(json.dumps(small)) == small
    for reading in ("all", "new"):
        assert set(small[reading]) == {"model", *BASELINES}
        assert all(set(values) == set(MEASURES) for values in small[reading].values())
        assert 0 < small["ceiling"][reading] <= 1
    assert small["users_new"] <= small["users"]
    assert small["windows"] == 2


def test_it_is_told_to_people(small: dict[str, Any]) -> None:
    text = "\n".join(describe(small))
    assert text.startswith("2 weeks (2026-03-18 to 2026-03-31)")
    for name in ("model", *BASELINES, "recall of all candidates", "against the best single source"):
        assert name in text
    assert text.count("passed") + text.count("MISSED") == 4


@pytest.mark.parametrize("windows", [0, -1])
def test_no_window_is_refused_before_anything_is_read(windows: int) -> None:
    def read(day: date, _: int) -> Events:
        raise AssertionError(f"read {day}")

    with pytest.raises(InvalidRequest, match=f"windows is {windows}; it has to be") as caught:
        roll(read, TODAY, {"windows": windows})
    assert caught.value.details["field"] == "windows"
    assert "from 1 to 104" in caught.value.remedy


def test_the_windows_are_as_long_as_the_lists_look_ahead() -> None:
    events = random_events(62, users=40, items=40, events=3000, days=90)
    asked: list[tuple[date, int]] = []

    def read(day: date, days: int) -> Events:
        asked.append((day, days))
        return until(events, (day - EPOCH).days)

    options = {"windows": 1, "window_days": 10, "history_days": 60, "long_half_life": 33.5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest_module, "Options", lambda **given: replace(QUICK, **given))
        found = roll(read, TODAY, options)
    assert asked == [(TODAY, 60), (TODAY - timedelta(days=10), 60)]
    (window,) = found["window_dates"]
    assert window["as_of"] == (TODAY - timedelta(days=10)).isoformat()
    assert window["last"] == TODAY.isoformat()


def test_no_bar_is_reached_where_nobody_bought(small: dict[str, Any]) -> None:
    nothing = {
        reading: {name: dict.fromkeys(MEASURES, 0.0) for name in ("model", *BASELINES)}
        for reading in ("all", "new")
    }
    assert list(bars(nothing, {"all": 0, "new": 0}).values()) == [False] * 4
    # Users who only bought again say nothing of new items.
    assert list(bars(nothing, {"all": 3, "new": 0}).values()) == [True, True, False, False]
    assert bars(small, {"all": small["users"], "new": small["users_new"]}) == small["bars"]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate(ShopOptions(users=400, items=90, start=date(2026, 1, 1), end=date(2026, 4, 30)))


@pytest.fixture(scope="module")
def planted(shop: Shop) -> tuple[Day, xgb.Booster]:
    events = synthetic_events(shop)
    ranker = Ranker(depths=(6,), rounds=50, least_rounds=20)  # enough for what is planted
    trained = train_events(events, shop.options.end, options=Options(weeks=4, ranker=ranker))
    day = (shop.options.end - EPOCH).days
    at = day_of(events, day, Learned.from_bytes(trained.files[FILE]))
    return at, xgb.Booster(model_file=bytearray(trained.booster))


def test_lists_go_to_the_categories_that_a_user_was_made_to_love(
    shop: Shop, planted: tuple[Day, xgb.Booster]
) -> None:
    at, booster = planted
    who = np.searchsorted(shop.tastes.user_ids.astype(str), at.rows.keys[0].astype(str))
    affinity = shop.tastes.affinity[who]
    known = np.flatnonzero(at.rows.values[:, 1] >= 5)  # purchases; fewer say little
    assert len(known) > 200
    popular = affinity[known][:, shop.catalogue.category[at.catalogue.popular_in(28)[:10]]].mean()
    loved = np.sort(affinity[known], axis=1)[:, -2:].mean()
    for new_only in (False, True):
        items = model_lister(trees(booster), at)(known, new_only)[:, :10]
        shown = np.take_along_axis(affinity[known], shop.catalogue.category[items], axis=1).mean()
        # Between what everybody gets and a list of nothing but the two most loved categories.
        assert shown > popular + 0.5 * (loved - popular), (new_only, shown, popular, loved)


def test_a_session_with_the_first_of_a_pair_brings_the_second(
    shop: Shop, planted: tuple[Day, xgb.Booster]
) -> None:
    at, booster = planted
    pairs = shop.tastes.pairs
    nobody: SnapshotRows = chosen(default_row(), np.zeros(len(pairs), np.int64))
    session = Ragged(np.arange(len(pairs) + 1), pairs[:, 0].astype(np.int64))
    found = candidates(nobody, at.catalogue, at.learned, Wish(session=session))
    features = assemble(nobody, at.catalogue, at.learned, found, session)
    margins = booster.inplace_predict(features, predict_type="margin")
    rows = best(found, margins, 20)
    lists = square(found, rows, 20)
    place = np.array([row.tolist().index(p) for row, p in zip(lists, pairs[:, 1], strict=True)])
    assert (place <= 2).all(), place
    assert (place == 0).mean() >= 0.7, place

    code, because = reasons(nobody, at.catalogue, at.learned, found, rows, session)
    partner = found.item[rows] == pairs[:, 1].repeat(20)
    assert (code[partner] == "together").all()
    assert because[partner].tolist() == pairs[:, 0].tolist()
