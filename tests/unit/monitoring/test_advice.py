"""The advice beside what each way costs when every request is played through."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.errors import InvalidRequest
from daybreak.monitoring.advice.costs import CACHE_HOURS, Way, costs, misses
from daybreak.monitoring.advice.deciding import advise, best, break_even, said
from daybreak.monitoring.advice.measurements import Freshness, Measurements, Stale, mean_below
from daybreak.monitoring.advice.terms import Prices, Terms
from simulated_answers import SimulatedShop

BATCH = SimulatedShop(
    entities=400,
    requests=4_000,
    changes=0.0,
    loss=0.0,
    answer_seconds=0.005,
    row_seconds=0.02,
    night_seconds=4.0,
)
LIVE = SimulatedShop(
    entities=300,
    requests=3_000,
    changes=20.0,
    loss=0.01,
    answer_seconds=0.005,
    row_seconds=0.02,
    night_seconds=2_000.0,
)
CHANGED = SimulatedShop(
    entities=1_000,
    requests=4_000,
    changes=0.1,
    loss=0.01,
    answer_seconds=0.05,
    row_seconds=1.0,
    night_seconds=200.0,
)
CACHE = SimulatedShop(
    entities=2_000,
    requests=5_000,
    changes=0.005,
    loss=0.0001,
    answer_seconds=0.05,
    row_seconds=1.0,
    night_seconds=4_000.0,
)
CORNERS = {Way.BATCH: BATCH, Way.LIVE: LIVE, Way.CHANGED: CHANGED, Way.CACHE: CACHE}
CLEAR = 0.8


@pytest.mark.parametrize("way", list(Way), ids=str)
def test_each_way_is_best_somewhere_and_the_advice_finds_it(way: Way) -> None:
    shop = CORNERS[way]
    assert shop.best[0] is way
    assert shop.margin < CLEAR
    advice = advise(shop.measured, shop.terms)
    assert advice.way is way
    assert advice.margin is not None
    assert advice.margin < CLEAR


@pytest.mark.parametrize("way", list(Way), ids=str)
def test_every_way_costs_what_it_costs_when_it_is_played_through(way: Way) -> None:
    shop = CORNERS[way]
    for found in costs(shop.measured, shop.terms, shop.requests):
        played = shop.costs[found.way, found.cache_hours]
        assert found.total == pytest.approx(played, rel=0.15), found.way
    hours = min(CACHE_HOURS, key=lambda one: shop.costs[Way.CACHE, one])
    cache = costs(shop.measured, shop.terms, shop.requests)[-1]
    assert shop.costs[Way.CACHE, cache.cache_hours] <= 1.1 * shop.costs[Way.CACHE, hours]


AROUND = st.floats(math.log(0.6), math.log(1.7)).map(math.exp)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    corner=st.sampled_from(list(Way)),
    factors=st.tuples(*(AROUND for _ in range(6))),
    own=st.sampled_from([0.0, 0.0, 0.03]),
    seed=st.integers(0, 2**16),
)
def test_around_the_corners_the_advice_is_the_best_way_where_it_is_clear(
    corner: Way, factors: tuple[float, ...], own: float, seed: int
) -> None:
    one = CORNERS[corner]
    names = ("requests", "changes", "loss", "answer_seconds", "row_seconds", "night_seconds")
    moved = {name: getattr(one, name) * by for name, by in zip(names, factors, strict=True)}
    shop = replace(one, **moved, own=own, seed=seed)
    advice = advise(shop.measured, shop.terms)
    if shop.margin < CLEAR:
        assert advice.way is shop.best[0]
    # And wherever it is not clear, it is not far from the best.
    assert advice.cost is not None
    taken = shop.costs[advice.cost.way, advice.cost.cache_hours]
    assert taken <= min(shop.costs.values()) / CLEAR


def test_the_same_measurements_give_the_same_advice() -> None:
    assert advise(CACHE.measured, CACHE.terms) == advise(CACHE.measured, CACHE.terms)


def test_a_decider_has_no_way_but_live() -> None:
    decides = replace(LIVE.measured, decides=True)
    for requests in (1.0, 1e3, 1e7):
        advice = advise(decides, replace(BATCH.terms, requests_a_day=requests))
        assert advice.way is Way.LIVE
        refused = {one.way: one.refused for one in advice.costs}
        assert "no night has seen" in refused[Way.BATCH]
        assert "inputs of its own" in refused[Way.CACHE]
        assert "inputs of its own" in refused[Way.CHANGED]
        assert advice.break_even is None


def test_a_night_that_is_too_long_is_ruled_out() -> None:
    assert BATCH.measured.night is not None
    slow = replace(BATCH.measured.night, wall_seconds=20_000.0)
    advice = advise(replace(BATCH.measured, night=slow), BATCH.terms)
    assert advice.way is not Way.BATCH
    assert "until 06:00" in advice.rule


def test_a_model_without_a_night_is_answered_live_or_from_a_cache() -> None:
    alone = replace(BATCH.measured, night=None, freshness=None, read=None)
    advice = advise(alone, BATCH.terms)
    assert advice.way is Way.LIVE
    assert advice.break_even is None
    assert {one.way for one in advice.costs if one.refused} == {Way.BATCH, Way.CHANGED}


def test_an_answer_time_rules_out_what_is_slower() -> None:
    quick = replace(LIVE.terms, answer_within_ms=1.0)
    advice = advise(LIVE.measured, quick)
    assert advice.way is Way.BATCH
    assert "1 ms are asked for" in advice.rule
    usage = replace(LIVE.measured.usage, requests_a_day=None)
    for requests, found in ((None, replace(LIVE.measured, usage=usage)), (9.0, LIVE.measured)):
        terms = replace(LIVE.terms, answer_within_ms=0.01, requests_a_day=requests)
        nothing = advise(found, terms)
        assert nothing.way is None
        assert nothing.rule.startswith("No way is left")
        assert nothing.sentence == "no way is left"


def test_requests_with_inputs_of_their_own_rule_batch_out() -> None:
    advice = advise(BATCH.measured, replace(BATCH.terms, own_inputs=0.02))
    assert advice.way is not Way.BATCH
    assert "2.00% of the requests" in advice.rule


def test_where_nobody_knows_the_requests_the_ranges_say_it() -> None:
    usage = replace(LIVE.measured.usage, requests_a_day=None)
    unknown = replace(LIVE.measured, usage=usage)
    advice = advise(unknown, replace(LIVE.terms, requests_a_day=None, loss=0.0))
    assert advice.way is None
    assert advice.sentence == "it depends on the number of requests"
    assert "--requests-per-day" in advice.rule
    assert len({one.way for one in advice.ranges}) > 1
    for one in advice.ranges:
        middle = (one.first * one.last) ** 0.5
        found = best(costs(unknown, replace(LIVE.terms, loss=0.0), middle))
        assert found is not None
        assert (found.way, found.cache_hours) == (one.way, one.cache_hours)
    assert advice.ranges[0].first == 1.0
    assert advice.ranges[-1].last == 1e9
    ends = [one.last for one in advice.ranges[:-1]]
    assert ends == [one.first for one in advice.ranges[1:]]


def test_where_every_number_of_requests_has_the_same_answer_none_is_needed() -> None:
    usage = replace(LIVE.measured.usage, requests_a_day=None)
    decides = replace(LIVE.measured, usage=usage, decides=True)
    advice = advise(decides, replace(LIVE.terms, requests_a_day=None))
    assert advice.way is Way.LIVE
    assert "Whatever their number" in advice.rule


@pytest.mark.parametrize("shop", CORNERS.values(), ids=map(str, CORNERS))
def test_at_the_break_even_batch_and_live_cost_the_same(shop: SimulatedShop) -> None:
    terms = replace(shop.terms, loss=0.0)
    found = break_even(shop.measured, terms)

    def totals(requests: float) -> tuple[float, float]:
        batch, live, *_ = costs(shop.measured, terms, requests)
        return batch.total, live.total

    if found.requests is None:
        assert found.cheaper_below == found.cheaper_above
        signs = {np.sign(batch - live) for batch, live in map(totals, np.geomspace(1, 1e9, 50))}
        assert len(signs) == 1
        return
    batch, live = totals(found.requests)
    assert batch == pytest.approx(live, rel=1e-9)
    assert found.cheaper_below != found.cheaper_above
    below = totals(found.requests / 1.5)
    assert (Way.BATCH if below[0] <= below[1] else Way.LIVE) is found.cheaper_below
    above = totals(found.requests * 1.5)
    assert (Way.BATCH if above[0] <= above[1] else Way.LIVE) is found.cheaper_above


def test_the_break_even_by_hand() -> None:
    """200 s of a night against 1.05 s a request, reading costs nothing, no memory, no storage."""
    assert CHANGED.measured.night is not None
    free = replace(CHANGED.measured, read=None)
    prices = Prices(processor_hour=3600.0, memory_gb_hour=0.0, gb_month=0.0)
    found = break_even(free, Terms(prices))
    assert found.requests == pytest.approx(200 / 1.05)
    assert (found.cheaper_below, found.cheaper_above) == (Way.LIVE, Way.BATCH)


def test_workers_by_hand() -> None:
    """864,000 a day are 10 a second, 40 at the peak. One of them takes 5 ms and its row 20 ms, so
    a worker that is half busy gives 20 a second: two workers of 0.05 GB."""
    prices = Prices(processor_hour=0.0, memory_gb_hour=1.0, gb_month=0.0)
    live = costs(BATCH.measured, Terms(prices), 864_000.0)[1]
    assert live.memory == pytest.approx(2 * 0.05 * 24)
    few = costs(BATCH.measured, Terms(prices), 10.0)[1]
    assert few.memory == pytest.approx(0.05 * 24)


def test_misses_by_hand() -> None:
    """Of 10 entities asked for 240 times a day, each once an hour: kept for 5 hours, an answer is
    made every 6."""
    assert misses(10, 240, 5) == pytest.approx(40)
    assert misses(10, 240, 0) == pytest.approx(240)
    assert misses(0, 240, 5) == 240


def test_the_mean_of_a_line_through_points() -> None:
    line = [(0.0, 0.0), (10.0, 1.0), (20.0, 1.0)]
    assert mean_below(line, 0) == 0
    assert mean_below(line, 10) == pytest.approx(0.5)
    assert mean_below(line, 5) == pytest.approx(0.25)
    assert mean_below(line, 20) == pytest.approx(0.75)
    assert mean_below(line, 40) == pytest.approx(0.875)
    x = np.linspace(0, 37, 100_001)
    y = np.interp(x, *zip(*line, strict=True))
    assert mean_below(line, 37) == pytest.approx(float(y.mean()), rel=1e-4)


def test_older_knowledge_that_seems_better_is_noise() -> None:
    def stale(hours: float, lost: float) -> Stale:
        return Stale(hours, lost, lost, 0.5, 0.0)

    found = Freshness("WAPE", False, "unit", (), 9, (stale(0, 2), stale(24, 1)), stale(12, 1.5))
    assert found.lost_more(found.ages[1]) == 0
    assert found.lost_within(24) == 0


def test_what_would_change_the_advice_does() -> None:
    advice = advise(BATCH.measured, replace(BATCH.terms, answer_within_ms=None))
    text = " ".join(advice.changes)
    assert "inputs of their own" in text
    assert "An answer within" in text
    stale = advise(CHANGED.measured, replace(CHANGED.terms, loss=0.0))
    (line,) = [one for one in stale.changes if one.startswith("A loss")]
    loss = float(line.split()[3])
    assert advise(CHANGED.measured, replace(CHANGED.terms, loss=loss * 1.05)).way is not stale.way
    assert advise(CHANGED.measured, replace(CHANGED.terms, loss=loss / 1.05)).way is stale.way


def test_prices_have_names() -> None:
    assert Prices.of(["processor-hour=1", "gb_month=2"]) == Prices(1.0, 0.005, 2.0)
    with pytest.raises(InvalidRequest, match="memory-gb-hour"):
        Prices.of(["cpu=1"])
    for wrong in ("gb-month=-1", "gb-month=nan", "gb-month", "gb-month=x"):
        with pytest.raises(InvalidRequest, match="is no price"):
            Prices.of([wrong])


def test_a_cache_is_said_with_its_hours() -> None:
    assert said(Way.CACHE, 48.0) == "cache for 48 hours"
    assert said(Way.CACHE, 1.0) == "cache for 1 hour"
    assert advise(CACHE.measured, CACHE.terms).sentence == "cache for 48 hours"


def test_measurements_compare_as_values() -> None:
    other: Measurements = replace(BATCH.measured, model="other")
    assert other != BATCH.measured
