"""What is learned of responses, and how it is judged at changes of prices."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.panel import Panel
from daybreak.models.pricing.elasticity.fit import Fitter
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.learn.changes import Changes, changes_of
from daybreak.models.pricing.learn.evidence import evidence
from daybreak.models.pricing.learn.facts import Facts
from daybreak.models.pricing.learn.gate import against_champion, against_no_response
from daybreak.models.pricing.learn.measures import MODEL, NO_RESPONSE, measures_of
from daybreak.models.pricing.learn.oracle import regression
from daybreak.models.pricing.learn.train import train_facts
from daybreak.models.pricing.learn.variances import learned
from daybreak.models.pricing.response import gathered, responses, statistics
from price_panels import priced, responding_panel

AS_OF = AsOf(date(2025, 2, 23), datetime(2025, 2, 24, 2, tzinfo=UTC))


def facts(panel: Panel) -> Facts:
    cells, tree, _ = gathered([statistics([panel])])
    keys = [*zip(panel.store_ids, panel.item_ids, strict=True)]
    return Facts(keys, cells, tree, panel.categories, panel.first_date.toordinal() // 7)


def test_variances_of_items_are_learned() -> None:
    """Elasticities that differ by 0.6, beside those that do not differ."""
    rng = np.random.default_rng(3)
    few: list[Panel] = []
    for k, e in enumerate(rng.normal(-2.5, 0.6, 24)):
        one = responding_panel(k, e, stores=4, items=1)
        names = {"item_ids": np.full(4, f"I{k:02}", object), "categories": np.full(4, "c", object)}
        few.append(replace(one, **names, store_ids=one.store_ids + f"-{k:02}"))
    cells, tree, _ = gathered([statistics([one]) for one in few])
    differing = learned(Fitter(cells, tree))
    equal = learned(facts(responding_panel(1, stores=4, items=24)).before(99))
    assert differing.items == pytest.approx(0.6, abs=0.2)
    assert equal.items < 0.3
    assert differing.stores < 0.3
    assert equal.noise < 0.2
    assert 0.5 < equal.design < 1.6


def test_a_version_is_made_of_its_facts() -> None:
    known = facts(responding_panel(1))
    first, second = train_facts(known, AS_OF), train_facts(known, AS_OF)
    assert json.dumps(first.manifest, sort_keys=True) == json.dumps(second.manifest, sort_keys=True)
    assert first.booster is None
    assert first.manifest["engine"] == "none"
    assert "baseline" not in first.manifest
    assert first.manifest["trained_through"] == "2025-02-23"
    Hyper.of(first.manifest["options"])
    assert against_no_response(first.manifest["evidence"]) == []
    kept = train_facts(known, AS_OF, given={"response_items": 0.123}).manifest["options"]
    assert kept["response_items"] == 0.123


def test_of_prices_that_never_moved_nothing_is_learned() -> None:
    panel = responding_panel(1)
    still = np.repeat(panel.price[:, :1], panel.price.shape[1], axis=1)
    with pytest.raises(NoData, match="No price moved"):
        train_facts(facts(replace(panel, price=still)), AS_OF)


@pytest.mark.parametrize("elasticity", [-2.5, 0.0])
def test_evidence_tells_a_response_from_none(elasticity: float) -> None:
    found = evidence(facts(responding_panel(2, elasticity)), also={"other": Hyper(items=2.0)})
    if elasticity:
        assert found["size"]["factor"] == pytest.approx(1.0, abs=0.2)
        assert found["deviance"][MODEL] < 0.8 * found["deviance"][NO_RESPONSE]
        assert found["direction"]["right_of_decisive"] > 0.97
        assert found["direction"]["right"] == pytest.approx(
            found["direction"]["expected"], abs=0.08
        )
        assert found["behind"]["other"]["difference"] < 0.05
        assert against_no_response(found) == []
    else:
        assert found["refused_changes"] > found["changes"]
        assert against_no_response(found)


def test_what_unaffected_items_do_is_taken_off() -> None:
    """The category doubles in the week in which one item's price rises, and that item's demand
    stays: it fell by half."""
    units, price = np.full((6, 84), 10.0), np.full((6, 84), 2.0)
    units[1:, 42:] = 20
    price[0, 42:] = 3.0
    panel = replace(priced(units, price), categories=np.full(6, "c", object))
    known = facts(panel)
    found = changes_of(known.cells, known.tree, 6)
    assert found.series.tolist() == [0]
    assert found.week.tolist() == [6]
    assert found.change[0] == pytest.approx(np.log(1.5), rel=1e-4)
    assert (found.before[0], found.after[0]) == (280, 280)
    assert found.odds[0] == pytest.approx(2.0, rel=0.1)


def test_changes_with_a_promotion_are_left_out() -> None:
    units, price = np.full((1, 84), 10.0), np.full((1, 84), 2.0)
    price[0, 42:49] = 1.5
    panel = priced(units, price)
    promotion = panel.promotion.copy()
    promotion[0, 42:49] = 1
    plain, promoted = facts(panel), facts(replace(panel, promotion=promotion))
    assert len(changes_of(plain.cells, plain.tree, 0)) == 2
    assert len(changes_of(promoted.cells, promoted.tree, 0)) == 0
    assert len(changes_of(plain.cells, plain.tree, 7)) == 1


def example(k: int = 200, elasticity: float = -2.0, seed: int = 1) -> Changes:
    rng = np.random.default_rng(seed)
    change, odds = rng.normal(0, 0.2, k), rng.uniform(0.5, 2, k)
    before = rng.poisson(30, k)
    after = rng.poisson(30 * odds * np.exp(elasticity * change))
    where = np.arange(k)
    return Changes(where, where, change, before.astype(float), after.astype(float), odds)


def test_measures_are_those_of_a_search() -> None:
    changes, e = example(), np.full(200, -1.0)
    found = measures_of(changes, {MODEL: e}, np.ones(200), np.arange(200) // 4)

    def loss(factor: float) -> float:
        share = changes.share(factor * e)
        return -float((changes.after * np.log(share) + changes.before * np.log(1 - share)).sum())

    best = minimize_scalar(loss, bounds=(0.1, 5), method="bounded").x
    assert found["size"]["factor"] == pytest.approx(best, rel=1e-4)
    assert best == pytest.approx(2.0, abs=0.3)
    # By hand: twice the sum of what was sold times the log of it over what was expected.
    share = changes.share(e)
    total = changes.before + changes.after
    terms = changes.after * np.log(changes.after / (total * share))
    terms += changes.before * np.log(changes.before / (total * (1 - share)))
    assert found["deviance"][MODEL] == pytest.approx(2 * terms.mean())
    right = measures_of(changes, {MODEL: 2 * e}, np.ones(200), np.arange(200))
    assert right["direction"]["right"] == pytest.approx(right["direction"]["expected"], abs=0.05)
    assert right["deviance"][MODEL] == pytest.approx(1.0, abs=0.2)


def test_the_gate_says_why_not() -> None:
    changes = example()
    ones, groups = np.ones(200), np.arange(200)

    def reasons(elasticity: float, some: Changes = changes) -> str:
        k = len(some)
        found = measures_of(some, {MODEL: np.full(k, elasticity)}, ones[:k], groups[:k])
        return "; ".join(against_no_response({"weeks": 26, **found}))

    assert reasons(-2.0) == ""
    assert "only 7 price changes" in reasons(-2.0, changes.where(groups < 7))
    assert "beyond 0.5 to 2" in reasons(-20.0)
    assert "did not clearly move" in reasons(-2.0, example(elasticity=0.0))
    empty = measures_of(changes.where(groups < 0), {MODEL: ones[:0]}, ones[:0], groups[:0])
    assert "only 0 price changes" in against_no_response({"weeks": 26, **empty})[0]


def test_a_champion_that_is_clearly_better_stays() -> None:
    changes, groups = example(), np.arange(200)
    methods = {MODEL: np.full(200, -0.2), "champion": np.full(200, -2.0)}
    worse = measures_of(changes, methods, np.ones(200), groups)
    assert "of the champion" in against_champion(worse)[0]
    methods = {MODEL: np.full(200, -2.0), "champion": np.full(200, -2.1)}
    assert against_champion(measures_of(changes, methods, np.ones(200), groups)) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 7])
def test_the_regression_finds_what_was_planted_and_we_find_the_same(step: int) -> None:
    """Two ways that share no code."""
    panel = responding_panel(4, -1.8, stores=6, items=5, days=420 if step == 1 else 60, step=step)
    oracle = regression(panel)
    found = responses([statistics([panel])], Hyper())
    assert oracle.sure.all()
    assert np.median(oracle.elasticity) == pytest.approx(-1.8, rel=0.1)
    assert np.median(found.series.elasticity) == pytest.approx(
        np.median(oracle.elasticity), rel=0.1
    )
    assert (oracle.standard_error > 0.005).all()


@pytest.mark.slow
def test_the_regression_says_what_it_cannot_tell() -> None:
    panel = responding_panel(4, stores=2, items=3)
    price = panel.price.copy()
    price[panel.item_ids == "I01"] = 2.0
    assert regression(replace(panel, price=price)).sure.tolist() == [True, False, True]
    assert not regression(replace(panel, price=np.full_like(price, np.nan))).sure.any()
