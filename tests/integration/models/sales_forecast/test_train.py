"""Training and its gate on a small warehouse: lineage, determinism, no hindsight, verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from sqlalchemy import Engine, insert

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_panel
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.learn import gate
from daybreak.models.sales_forecast.learn import train as train_module
from daybreak.models.sales_forecast.learn.booster import Learning, grow
from daybreak.models.sales_forecast.learn.evidence import measures
from daybreak.models.sales_forecast.learn.lineage import panel_sha256
from daybreak.models.sales_forecast.learn.sampling import draw
from daybreak.models.sales_forecast.learn.spans import (
    held_out,
    held_out_periods,
    least_periods,
    origins_between,
    origins_for,
)
from daybreak.models.sales_forecast.learn.train import (
    Options,
    counts_units,
    draw_held_out,
    train_panel,
    weighted,
)
from daybreak.models.sales_forecast.link import link
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from daybreak.models.sales_forecast.options import Scope
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import sales
from random_panels import random_panel
from small_shop import AS_OF, DAY

pytestmark = pytest.mark.slow  # trains

QUICK = Options(
    origins=12,
    rows=3000,
    held_out_rows=1200,
    learning=Learning(rounds=14, least_rounds=8, patience=2, depth=3, eta=0.3),
    threads=1,
)


def panel_as_of(shop: Engine, as_of: AsOf = AS_OF) -> Panel:
    with connect(shop) as conn:
        return read_panel(conn, as_of, days=QUICK.panel_days(HORIZON))


def artifact(trained: Trained, version: str = "new") -> Artifact:
    # The registry keeps the manifest as JSON, so the gate gets it back from there.
    manifest = json.loads(json.dumps(trained.manifest))
    return Artifact("sales_forecast", version, trained.booster, manifest)


_trained: dict[AsOf, Trained] = {}


def trained_as_of(shop: Engine, as_of: AsOf = AS_OF) -> Trained:
    """Trained once a worker: the facts of the small shop are the same in every test."""
    if as_of not in _trained:
        _trained[as_of] = train_panel(panel_as_of(shop, as_of), options=QUICK)
    return _trained[as_of]


def test_the_same_facts_give_the_same_bytes_and_a_full_lineage(shop: Engine) -> None:
    panel = panel_as_of(shop)
    said: list[str] = []

    trained = train_panel(panel, options=QUICK, progress=said.append)
    again = trained_as_of(shop)

    assert trained.booster == again.booster
    assert trained.manifest == again.manifest
    manifest = json.loads(json.dumps(trained.manifest))
    assert [feature["name"] for feature in manifest["features"]] == list(FEATURES)
    assert {feature["dtype"] for feature in manifest["features"]} == {"float32"}
    assert manifest["trained_through"] == DAY.isoformat()
    assert manifest["outputs"] == ["p10", "p50", "p90", "mean"]
    assert manifest["data_sha256"] == panel_sha256(panel)
    assert manifest["window"]["last_origin"] < manifest["trained_through"]
    assert manifest["calibration"]["round"] is False  # the small shop has half units
    assert all(len(manifest["calibration"][name]) == HORIZON for name in manifest["outputs"])
    booster = xgb.Booster(model_file=bytearray(trained.booster))
    assert booster.inplace_predict(np.zeros((3, len(FEATURES)), np.float32)).shape == (3, 4)
    assert len(said) == 3
    assert said[0].startswith(f"Features of {len(panel)} series: 0 of ")


def test_the_trees_that_are_judged_have_not_seen_the_days_they_are_judged_on(shop: Engine) -> None:
    panel = panel_as_of(shop)
    before = trained_as_of(shop)
    units = panel.units.copy()
    units[:, -HORIZON // 2 :] = np.where(panel.open[:, panel.days - 14 : panel.days], 500, 0)

    changed = train_panel(replace(panel, units=units), options=QUICK).manifest

    # Absurd days at the end: who had learned from them, or been calibrated on them, would err less.
    late = DAY - timedelta(days=14)
    found, was = measures(changed["evidence"], late), measures(before.manifest["evidence"], late)
    assert found["wape"]["model"] > 0.9
    assert found["calibration"]["p90"]["at_or_below"] < 0.2
    assert was["wape"]["model"] < 0.9
    assert held_out(panel) in {HORIZON * blocks for blocks in (2, 3)}
    first = DAY - timedelta(days=held_out(panel) - 1)
    assert min(changed["evidence"]) == first.isoformat(), "each block is judged by the others"


def test_facts_that_come_later_do_not_change_what_is_learned_from(shop: Engine) -> None:
    before = panel_sha256(panel_as_of(shop))
    late = {
        "business_date": DAY - timedelta(days=3),
        "store_id": "A",
        "item_id": "tea",
        "units": 1e6,
        "load_id": 99,
        "loaded_at": AS_OF.cutoff + timedelta(seconds=1),
    }
    with begin(shop) as conn:
        conn.execute(insert(sales).values(late))

    assert panel_sha256(panel_as_of(shop)) == before


def test_too_short_a_history_is_refused(shop: Engine) -> None:
    panel = panel_as_of(shop)
    units = panel.units.copy()
    units[:, :-100] = np.nan

    with pytest.raises(NoData, match="There are 100 days of sales up to 2026-03-10"):
        train_panel(replace(panel, units=units), options=QUICK)


def test_whole_units_are_told_from_weights(shop: Engine) -> None:
    panel = panel_as_of(shop)

    assert not counts_units(panel)
    assert counts_units(replace(panel, units=np.floor(panel.units)))


@pytest.mark.parametrize(("first", "last", "count"), [(56, 400, 80), (0, 139, 20), (5, 6, 80)])
def test_origins_cover_the_span_on_every_weekday(first: int, last: int, count: int) -> None:
    found = origins_between(first, last, count)

    assert found[-1] == last
    assert first <= found[0]
    assert found == sorted(found)
    assert len({day % 7 for day in found}) == min(7, len(found))


def test_what_is_learned_is_what_the_link_multiplies_back(shop: Engine) -> None:
    panel = panel_as_of(shop)
    sample = draw(panel, [panel.days - 30], None, 7)
    factor = sample.features[:, FEATURES.index("day_factor")]
    target = weighted(sample, panel.days - 1, QUICK).target

    units = link(np.tile(target[:, None], 4), sample.features, {"calibration": {}})["mean"]

    assert np.ptp(factor) > 0.1
    np.testing.assert_allclose(units, sample.units, rtol=1e-5, atol=1e-6)


def test_a_leaf_has_as_many_labels_whatever_rows_share_them(shop: Engine) -> None:
    panel = panel_as_of(shop)
    origins = list(range(panel.days - 60, panel.days - 30))
    sample = draw(panel, origins, None, 7)
    labels = set(zip(sample.series, sample.origin + sample.horizon, strict=True))
    often = train_panel(panel, options=replace(QUICK, origins=60)).manifest["params"]["learning"]

    found = train_module._of_labels(sample, QUICK.learning).least_weight

    assert found == pytest.approx(QUICK.learning.least_weight * len(sample) / len(labels))
    assert found > 5 * QUICK.learning.least_weight
    assert often["least_weight"] > QUICK.learning.least_weight


@pytest.mark.parametrize(
    ("rows", "forest"), [(0, 4), (1_000, 4), (30_000, 3), (50_000, 2), (70_000, 1), (100_000, 1)]
)
def test_of_fewer_rows_more_trees_share_a_round(rows: int, forest: int) -> None:
    assert train_module._forest(rows, 100_000) == forest


def test_the_forest_is_that_of_all_rows_that_are_learned_from(shop: Engine) -> None:
    rows = trained_as_of(shop).manifest["window"]["rows"]
    sparse = train_panel(panel_as_of(shop), options=replace(QUICK, rows=1_000_000))

    assert trained_as_of(shop).manifest["params"]["learning"]["forest"] == round(QUICK.rows / rows)
    assert sparse.manifest["params"]["learning"]["forest"] == 4


def test_a_forest_of_few_rows_is_less_a_matter_of_its_seed(shop: Engine) -> None:
    panel = panel_as_of(shop)
    sample = draw(panel, [panel.days - 40], None, 7)
    rows = weighted(sample, panel.days - 1, QUICK)

    def scatter(forest: int) -> float:
        learning = replace(QUICK.learning, forest=forest)
        margins = [
            grow(rows, learning, seed=seed, threads=1, rounds={"quantiles": 6, "mean": 6})
            .merged()
            .inplace_predict(rows.features, predict_type="margin")
            for seed in range(4)
        ]
        return float(np.std(margins, axis=0).mean())

    assert scatter(4) < 0.7 * scatter(1)


@pytest.mark.parametrize(
    ("series", "count"), [(0, 80), (300, 80), (10_000, 80), (30_490, 26), (200_000, 20)]
)
def test_many_series_are_looked_at_less_often(series: int, count: int) -> None:
    assert origins_for(series, 80) == count
    assert origins_for(series, 12) == 12


def test_the_first_champion_has_to_beat_the_baselines(shop: Engine) -> None:
    challenger = artifact(trained_as_of(shop))
    # A dozen trees on ten series of pure noise are no better than a median; so halve their errors.
    for sums in challenger.manifest["evidence"].values():
        for name in sums:
            if name.startswith(("error.model", "pinball.model")):
                sums[name] /= 2
        sums["at_or_below.p90"] = 0.9 * sums["rows"]
    with connect(shop) as conn:
        verdict = gate.judge(conn, AS_OF, challenger, None)

    assert verdict.passed, verdict.reason
    assert "Beats the baselines on" in verdict.reason
    assert verdict.evidence["challenger"]["wape"].keys() == {
        *("model", "seasonal_naive", "mean_28", "median_56")
    }
    json.dumps(verdict.evidence)


def test_years_that_are_alike_are_followed_unless_plans_give_prices() -> None:
    """Three years of one item in eight stores, twice as much in June as in December."""
    panel = random_panel(8, days=1000, stores=8, items=1)
    day = np.arange(panel.days) % 365
    mean = 20 * (1 + 0.35 * np.cos(2 * np.pi * day / 365))
    units = np.random.default_rng(2).poisson(np.broadcast_to(mean, panel.units.shape))
    units = np.where(panel.open[:, : panel.days], units, 0).astype(np.float32)
    panel = replace(panel, units=units, planned=frozenset({"open"}))
    longer = replace(QUICK, origins=40)

    followed = train_panel(panel, options=longer).manifest["effects"]
    assert followed["season"] > 0.7
    priced = replace(panel, planned=frozenset({"open", "price"}))
    assert train_panel(priced, options=longer).manifest["effects"] == {}


def test_a_champion_is_compared_on_days_that_neither_learned_from(shop: Engine) -> None:
    earlier = AsOf(DAY - timedelta(days=7), AS_OF.cutoff - timedelta(days=7))
    champion = artifact(trained_as_of(shop, earlier), "old")
    challenger = artifact(trained_as_of(shop))
    with connect(shop) as conn:
        verdict = gate.judge(conn, AS_OF, challenger, champion)

    compared = verdict.evidence["against_champion"]
    assert compared["same_data"]
    assert compared["after"] == "2026-03-03"
    assert compared["challenger"]["days"] <= 7
    assert compared["challenger"]["rows"] == compared["champion"]["rows"] > 0
    assert compared["champion"]["version"] == "old"
    # The baselines of both are the same numbers, as the rows are the same.
    assert compared["champion"]["wape"]["median_56"] == compared["challenger"]["wape"]["median_56"]
    for loss, behind in compared["behind"].items():
        models = [compared[one][loss]["model"] for one in ("challenger", "champion")]
        assert behind["difference"] == pytest.approx(models[0] - models[1])
        assert behind["standard_error"] > 0


def test_nothing_tells_two_versions_of_one_day_apart(shop: Engine) -> None:
    challenger = artifact(trained_as_of(shop))
    with connect(shop) as conn:
        verdict = gate.judge(conn, AS_OF, challenger, replace(challenger, version="old"))

    assert not verdict.passed
    assert "they cannot be compared" in verdict.reason


def errors(of_each: float | None) -> dict[str, dict[str, float | None]]:
    return {name: {"below": of_each, "at_or_below": of_each} for name in ("p10", "p50", "p90")}


def behind(**differences: float) -> dict[str, dict[str, float | None]]:
    names = (*gate.POINTS, "empirical", *gate.FORMULAS)
    return {
        name: {"difference": differences.get(name, -0.1), "standard_error": 0.02} for name in names
    }


def found(**changes: Any) -> dict[str, Any]:
    calm = {"below": 0.5, "at_or_below": 0.5}
    return {
        "rows": 100,
        "wape": {"model": 0.5, "seasonal_naive": 0.8, "mean_28": 0.7, "median_56": 0.6},
        "pinball": {"model": 1.0, "empirical": 1.2, "weekday_28": 1.4, "weekday_56": 1.3},
        "behind": behind(),
        "calibration": {
            "p10": {"below": 0.02, "at_or_below": 0.4},
            "p50": calm,
            "p90": {"below": 0.88, "at_or_below": 0.91},
        },
        "standard_error": errors(0.03),
        **changes,
    }


def test_every_reason_to_refuse_is_said() -> None:
    assert gate.against_baselines(found()) == []
    # Worse by two standard errors; what would be in force instead is the likelier one from one on.
    assert gate.against_baselines(found(behind=behind(mean_28=0.03, weekday_56=0.01))) == []
    worse = behind(mean_28=0.05, empirical=0.05, weekday_28=0.05, weekday_56=0.025)
    assert gate.against_baselines(found(behind=worse)) == [
        "WAPE 0.5 is above 0.7 of mean_28 (by 0.05, standard error 0.02)",
        "pinball loss 1 is above 1.2 of empirical (by 0.05, standard error 0.02)",
        "pinball loss 1 is above 1.3 of weekday_56 (by 0.025, standard error 0.02)",
    ]
    single = behind() | {"mean_28": {"difference": 0.001, "standard_error": None}}
    assert gate.against_baselines(found(behind=single)) == [
        "WAPE 0.5 is above 0.7 of mean_28 (by 0.001, standard error unknown)"
    ]
    low = found()["calibration"] | {"p90": {"below": 0.5, "at_or_below": 0.6}}
    assert gate.against_baselines(found(calibration=low)) == [
        "p90 is not calibrated (50.0% below, 60.0% at or below, standard error 3.0%)"
    ]
    high = found()["calibration"] | {"p10": {"below": 0.22, "at_or_below": 0.4}}
    assert [reason[:10] for reason in gate.against_baselines(found(calibration=high))] == [
        "p10 is not"
    ]
    # 0.1 beyond: no more than two standard errors and the tolerance.
    uncertain = found()["calibration"] | {"p90": {"below": 0.7, "at_or_below": 0.8}}
    assert gate.against_baselines(found(calibration=uncertain)) == []
    one_day = found(
        calibration=uncertain,
        standard_error=errors(None),
    )
    assert gate.against_baselines(one_day) == [
        "p90 is not calibrated (70.0% below, 80.0% at or below, standard error unknown)"
    ]
    assert gate.against_baselines(found(rows=0)) == ["no held-out day with an open store"]


def test_a_challenger_is_refused_that_is_worse_than_the_champion_by_more_than_noise() -> None:
    better = found(wape={"model": 0.4}, pinball={"model": 0.5})

    def reasons(noise: float | None) -> list[str]:
        behind = {
            loss: {"difference": difference, "standard_error": noise}
            for loss, difference in (("wape", 0.1), ("pinball", 0.5))
        }
        return gate.against_champion({"challenger": found(), "champion": better, "behind": behind})

    assert reasons(0.02) == [
        "WAPE 0.5000 is above the champion's 0.4000 (by 0.1, standard error 0.02)",
        "pinball loss 1.0000 is above the champion's 0.5000 (by 0.5, standard error 0.02)",
    ]
    # 2 % of the champion's loss are allowed, and two standard errors of the difference.
    assert [reason[:4] for reason in reasons(0.0461)] == ["pinb"]
    assert len(reasons(0.0459)) == 2
    assert reasons(0.5) == []
    assert reasons(None)[0].endswith("standard error unknown)")


def test_a_champion_of_another_horizon_is_not_compared(shop: Engine) -> None:
    """Its calibration has no number for the days beyond, and the question was another one."""
    trained = trained_as_of(shop)
    challenger = artifact(trained)
    manifest = json.loads(json.dumps(trained.manifest))
    manifest["layout"]["horizon"] = 14
    champion = Artifact("sales_forecast", "shorter", trained.booster, manifest)

    with connect(shop) as conn:
        verdict = gate.judge(conn, AS_OF, challenger, champion)

    assert "against_champion" not in verdict.evidence
    assert "It forecasts 28 days and the champion shorter 14, so they are not" in verdict.reason
    assert "and shorter on" not in verdict.reason


@pytest.mark.parametrize(("step", "horizon", "held", "least"), [(1, 1, 28, 112), (1, 42, 42, 140)])
def test_short_horizons_are_judged_on_four_weeks(
    step: int, horizon: int, held: int, least: int
) -> None:
    scope = Scope(horizon, step)

    assert (held_out_periods(scope), least_periods(scope)) == (held, least)


@pytest.mark.parametrize("ahead", [1, 5, 28, 42])
def test_every_held_out_day_is_asked_about(ahead: int) -> None:
    panel = random_panel(2, days=200, ahead=ahead)
    panel = replace(panel, open=np.ones_like(panel.open))

    held_out = draw_held_out(panel, replace(QUICK, held_out_rows=10**6), 7)

    days = set((held_out.origin + held_out.horizon).tolist())
    last = panel.days - 1
    assert days == set(range(last - held_out_periods(Scope(ahead)) + 1, last + 1))
