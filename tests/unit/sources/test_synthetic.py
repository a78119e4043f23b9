"""The synthetic shop keeps its promises: same bytes, closed days, planted effects, known floor."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.errors import DatasetError
from daybreak.sources.synthetic import (
    SCHEMAS,
    Shop,
    ShopOptions,
    demand_median,
    floor_wape,
    generate,
    shop_options,
    units_at,
)
from daybreak.sources.synthetic.catalogue import CATEGORIES
from daybreak.sources.synthetic.demand import mean_demand
from daybreak.sources.synthetic.plan import make_days, plan_store

SMALL = ShopOptions(
    stores=3, items=12, start=date(2025, 11, 1), end=date(2026, 2, 15), ahead=28, users=40
)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate()


def small_options() -> st.SearchStrategy[ShopOptions]:
    return st.builds(
        lambda days, start, **options: ShopOptions(
            start=start, end=start + timedelta(days=days - 1), users=20, **options
        ),
        days=st.integers(1, 120),
        start=st.dates(date(2023, 1, 1), date(2026, 6, 1)),
        seed=st.integers(0, 2**32),
        stores=st.integers(1, 3),
        items=st.integers(1, 9),
        ahead=st.integers(0, 40),
        country=st.sampled_from(["GB", "DE", "US"]),
        dispersion=st.sampled_from([0.0, 0.02, 0.5]),
        closed_weekday_share=st.sampled_from([0.0, 1.0]),
        stockout_rate=st.sampled_from([0.0, 0.2]),
        new_item_share=st.sampled_from([0.0, 1.0]),
        baskets_per_day=st.sampled_from([0.0, 2.0]),
    )


def digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


@pytest.mark.parametrize("section", SCHEMAS)
def test_equal_options_give_equal_bytes_and_another_seed_gives_others(section: str) -> None:
    table = getattr(generate(SMALL), section)
    assert table.num_rows > 0
    assert digest(table) == digest(getattr(generate(SMALL), section))
    if section not in {"items", "stores"}:  # names are not random
        other = generate(SMALL.model_copy(update={"seed": 8}))
        assert digest(table) != digest(getattr(other, section))


def test_the_bytes_of_the_demonstration_stay_as_they_are() -> None:
    sold = generate(SMALL).sales["units"].to_numpy()
    assert (len(sold), int(sold.sum())) == (3091, 19288)


@settings(max_examples=20, deadline=None)
@given(small_options())
def test_any_options_make_a_consistent_shop(options: ShopOptions) -> None:
    shop = generate(options)
    truth, sales, plan = shop.truth, shop.sales, shop.plan
    assert (truth.rate[~truth.open] == 0).all()
    assert (truth.units[truth.rate == 0] == 0).all()
    assert (truth.units >= 0).all()
    assert (truth.units[truth.short] <= truth.stock[truth.short]).all()
    assert (truth.price > 0).all()
    # Sales are what the truth says of the days that have been, each series and day once.
    past = truth.units[:, : options.days]
    assert pc.sum(sales["units"]).as_py() in (int(past.sum()), None)
    keys = sales.select(["business_date", "store_id", "item_id"])
    assert keys.group_by(keys.column_names).aggregate([]).num_rows == sales.num_rows
    if plan.num_rows:
        assert pc.max(plan["business_date"]).as_py() <= options.last_planned
    assert shop.hours.num_rows == options.stores * (options.days + options.ahead)
    for section, schema in SCHEMAS.items():
        assert getattr(shop, section).schema == schema
        assert not any(column.null_count for column in getattr(shop, section).columns)


@settings(max_examples=12, deadline=None)
@given(small_options(), st.integers(1, 60))
def test_a_later_end_changes_no_earlier_day(options: ShopOptions, more: int) -> None:
    later = options.model_copy(update={"end": options.end + timedelta(days=more)})
    for section in ("sales", "interactions"):
        longer = getattr(generate(later), section)
        day = longer.column(0).cast(pa.date32())
        assert longer.filter(pc.less_equal(day, options.end)) == getattr(generate(options), section)


@settings(max_examples=12, deadline=None)
@given(small_options(), st.integers(1, 60))
def test_a_later_end_adds_to_what_prices_are_set_by(options: ShopOptions, more: int) -> None:
    """Of competitors and stock the days before the last ones are left out as time goes on."""
    later = generate(options.model_copy(update={"end": options.end + timedelta(days=more)}))
    for section, days in (("costs", None), ("competitors", 180), ("stock", 30)):
        longer, before = getattr(later, section), getattr(generate(options), section)
        begin = options.start if days is None else later.options.end - timedelta(days=days - 1)
        kept = before.filter(pc.greater_equal(before["business_date"], begin))
        assert longer.filter(pc.less_equal(longer["business_date"], options.end)) == kept


def test_the_stream_is_the_whole_in_pieces_of_one_store(shop: Shop) -> None:
    batches = list(shop.stream("sales"))
    assert pa.Table.from_batches(batches) == shop.sales
    assert all(pc.count_distinct(batch.column("store_id")).as_py() == 1 for batch in batches)
    for batch in batches:
        day = batch.column("business_date").cast(pa.int32()).to_numpy()
        assert (np.diff(day) >= 0).all()


def test_the_default_shop_has_the_size_the_demonstration_needs(shop: Shop) -> None:
    assert 300_000 <= shop.sales.num_rows <= 400_000
    assert pc.max(shop.sales["business_date"]).as_py() == date(2026, 6, 30)
    assert pc.max(shop.plan["business_date"]).as_py() >= date(2026, 6, 30) + timedelta(days=28)
    assert shop.interactions.num_rows > 100_000
    assert shop.truth.catalogue.launch.max() > 0
    assert shop.truth.short.any()


def test_closed_days_sell_nothing_and_some_stores_rest_on_sundays(shop: Shop) -> None:
    truth = shop.truth
    assert not truth.units[~truth.open].any()
    days = np.arange(truth.rate.shape[1]) + np.datetime64(truth.first_date)
    sunday = (days.astype(int) + 3) % 7 == 6
    rests = ~truth.open[:, sunday].any(axis=1)
    assert 0 < rests.sum() < len(rests)
    assert not truth.open[:, truth.column(date(2025, 12, 25))].any()
    opened = shop.hours.filter(shop.hours["open"]).select(["business_date", "store_id"])
    sold_on = shop.sales.select(["business_date", "store_id"])
    outside = sold_on.join(opened, ["business_date", "store_id"], join_type="left anti")
    assert outside.num_rows == 0


def test_units_follow_the_mean_and_variance_that_the_truth_claims() -> None:
    truth = generate(ShopOptions(stores=4, items=60, dispersion=0.2, stockout_rate=0)).truth
    rate = truth.rate[truth.rate > 0]
    z = (truth.units[truth.rate > 0] - rate) / np.sqrt(rate + 0.2 * rate**2)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert z.var() == pytest.approx(1, abs=0.03)


def test_promotion_uplift_and_elasticity_are_recovered_from_what_was_sold(shop: Shop) -> None:
    """Against the same shop without leaflets: there, only prices and promotions differ."""
    truth = shop.truth
    plain = generate(shop.options.model_copy(update={"promotion_share": 0.0})).truth
    depth = np.round(1 - truth.price / plain.price, 1)
    assert not plain.promotion.any()
    assert (depth[~truth.promotion] == 0).all()
    kinds = truth.catalogue.category[truth.item]
    for kind, category in enumerate(CATEGORIES):
        ratios = {}
        for level in (0.1, 0.2, 0.3):
            cells = (kinds == kind)[:, None] & truth.promotion & (depth == level)
            ratios[level] = np.log(truth.units[cells].sum() / plain.units[cells].sum())
        slope, level = np.polyfit(np.log1p(-np.array(list(ratios))), list(ratios.values()), 1)
        assert slope == pytest.approx(category.elasticity, rel=0.15), category.name
        assert np.exp(level) == pytest.approx(category.promotion, rel=0.08), category.name
        first = int(np.flatnonzero(truth.catalogue.category == kind)[0])
        assert truth.catalogue.elasticity[first] == category.elasticity
        assert truth.catalogue.promotion_uplift[first] == category.promotion


@pytest.mark.parametrize("dispersion", [0.0, 0.05, 1.5])
def test_the_floor_agrees_with_simulation_and_no_other_forecast_beats_it(dispersion: float) -> None:
    options = ShopOptions(
        stores=3, items=24, dispersion=dispersion, stockout_rate=0.03, end=date(2025, 12, 31)
    )
    truth = generate(options).truth
    days = slice(0, options.days)
    y, median = truth.units[:, days], truth.median()[:, days]
    scored = np.abs(y - median).sum() / y.sum()
    assert floor_wape(truth) == pytest.approx(scored, rel=0.015)
    full = ~truth.short[:, days]
    scored = np.abs(y - median)[full].sum() / y[full].sum()
    assert floor_wape(truth, stockouts=False) == pytest.approx(scored, rel=0.015)
    assert floor_wape(truth, stockouts=False) < floor_wape(truth)
    for other in (truth.rate[:, days], median + 1, np.maximum(median - 1, 0)):
        assert np.abs(y - other)[full].sum() / y[full].sum() > scored


def test_the_floor_of_a_slice_is_the_floor_of_its_days_and_series(shop: Shop) -> None:
    truth = shop.truth
    slow = truth.catalogue.slow[truth.item][:, None]
    assert floor_wape(truth, where=~slow) < floor_wape(truth) < floor_wape(truth, where=slow)
    june = {"first": date(2026, 6, 1), "last": date(2026, 6, 30)}
    columns = slice(truth.column(june["first"]), truth.column(june["last"]) + 1)
    error = np.abs(truth.units - truth.median())[:, columns].sum() / truth.units[:, columns].sum()
    assert floor_wape(truth, **june) == pytest.approx(error, rel=0.05)
    assert np.isnan(floor_wape(truth, where=~truth.open))


@pytest.mark.parametrize("dispersion", [0.0, 0.05, 2.0])
def test_the_median_is_the_least_count_that_reaches_one_half(dispersion: float) -> None:
    rates = np.array([0.0, 0.01, 0.69, 0.7, 1.0, 3.3, 20.0, 400.0])
    generator = np.random.default_rng(0)
    luck = generator.gamma(1 / dispersion, dispersion, (40_001, 1)) if dispersion else 1.0
    drawn = np.median(generator.poisson(rates * luck, (40_001, len(rates))), axis=0)
    assert np.abs(demand_median(rates, dispersion) - drawn).max() <= 0.02 * 400 * (1 + dispersion)
    assert (demand_median(rates, dispersion)[:4] == drawn[:4]).all()


def test_the_exact_error_under_scarce_stock_is_the_simulated_one() -> None:
    options = ShopOptions(stores=3, items=24, stockout_rate=0.5, end=date(2025, 6, 30))
    truth = generate(options).truth
    days = slice(0, options.days)
    short = truth.short[:, days]
    y, median = truth.units[:, days][short], truth.median()[:, days][short]
    assert floor_wape(truth, where=truth.short) == pytest.approx(
        np.abs(y - median).sum() / y.sum(), rel=0.02
    )


def test_users_buy_what_they_like_and_pairs_go_together(shop: Shop) -> None:
    events = shop.interactions
    tastes = shop.tastes
    user = np.array([int(u[1:]) - 1 for u in events["user_id"].to_pylist()])
    item = np.array([int(i[1:]) - 1 for i in events["item_id"].to_pylist()])
    kind = shop.catalogue.category[item]
    loved = tastes.affinity.argmax(axis=1)[user] == kind
    assert loved.mean() > 2 * np.mean([(kind == k).mean() ** 2 for k in range(6)]) * 6
    bought = np.array(events["kind"].to_pylist()) == "purchase"
    moment = events["event_at"].cast(pa.int64()).to_numpy()
    assert (np.diff(moment) >= 0).all()
    sets = {
        n: set(zip(user[bought & (item == n)], moment[bought & (item == n)], strict=True))
        for n in tastes.pairs.ravel()
    }
    for first, second in tastes.pairs:
        together = len(sets[first] & sets[second])
        assert together / len(sets[first]) == pytest.approx(0.5, abs=0.08)
    launched = shop.catalogue.launch[item] * 86_400_000_000
    opened = np.datetime64(shop.options.start, "us").astype(np.int64)
    assert (moment >= opened + launched).all()


def test_a_basket_is_one_visit_of_one_user(shop: Shop) -> None:
    events = shop.interactions
    baskets = events.group_by("basket_id").aggregate(
        [("user_id", "count_distinct"), ("event_at", "min"), ("event_at", "max")]
    )
    assert pc.max(baskets["user_id_count_distinct"]).as_py() == 1
    first, last = (baskets[f"event_at_{end}"].cast(pa.int64()).to_numpy() for end in ("min", "max"))
    assert (last - first).max() < 3600 * 1_000_000
    assert 4 < events.num_rows / baskets.num_rows < 6
    month = np.array([name[:7] for name in baskets["basket_id"].to_pylist()])
    begun = baskets["event_at_min"].to_numpy().astype("M8[M]").astype(str)
    assert (month == begun).all()


def test_wrong_options_are_all_named() -> None:
    with pytest.raises(DatasetError) as caught:
        shop_options({"stores": 0, "itmes": 5, "slow_share": 2})
    assert caught.value.details["fields"] == ["itmes", "slow_share", "stores"]
    with pytest.raises(DatasetError, match="before"):
        shop_options({"start": "2026-01-02", "end": "2026-01-01"})
    with pytest.raises(DatasetError, match="holidays"):
        shop_options({"country": "Atlantis"})
    for digits in (20240401, "20240401", "1711929600"):  # seconds since 1970 to pydantic
        with pytest.raises(DatasetError, match=r"start: .* is written as 2026-01-31"):
            shop_options({"start": digits})
    assert shop_options({"closed_weekdays": [5, 6]}).closed_weekdays == (5, 6)


# --- what prices are set by -------------------------------------------------------------------


def test_costs_are_a_share_of_the_base_price_and_drift_once_a_year(shop: Shop) -> None:
    costs = shop.costs["cost"].to_numpy().reshape(-1, shop.options.items)
    days = shop.costs["business_date"].to_numpy().reshape(costs.shape)[:, 0]
    base = shop.catalogue.base_price

    assert days.tolist() == [date(2024, 4, 1), date(2025, 4, 1), date(2026, 4, 1)]
    assert shop.costs["item_id"].to_pylist() == list(shop.catalogue.item_ids) * len(days)
    share = costs[0] / base
    cent = 0.005 / base.min()
    assert ((share >= 0.5 - cent) & (share <= 0.75 + cent)).all()
    assert share.std() > 0.05
    drift = costs[1:] / costs[:-1]
    assert ((drift > 0.97) & (drift < 1.06)).all()
    assert 1.005 < drift.mean() < 1.025


def test_two_competitors_are_seen_every_monday_around_the_base_price(shop: Shop) -> None:
    seen = shop.competitors
    days = sorted(set(seen["business_date"].to_pylist()))
    item = np.array([int(name[1:]) - 1 for name in seen["item_id"].to_pylist()])
    ratio = seen["price"].to_numpy() / shop.catalogue.base_price[item]

    assert {day.weekday() for day in days} == {0}
    assert {(b - a).days for a, b in pairwise(days)} == {7}
    assert (days[0], days[-1]) == (date(2026, 1, 5), date(2026, 6, 29))
    assert seen.num_rows == len(days) * shop.options.items * 2
    assert ((ratio > 0.85) & (ratio < 1.15)).all()
    names = np.array(seen["competitor"].to_pylist())
    (one, other) = (ratio[names == name].mean() for name in sorted(set(names)))
    assert one > 1 > other
    # They ask the same for weeks, so that a price that was seen says something of the next days.
    by_week = ratio.reshape(len(days), -1)
    assert np.mean(by_week[1:] == by_week[:-1]) > 0.7


def test_stock_agrees_with_what_was_sold(shop: Shop) -> None:
    truth, options = shop.truth, shop.options
    last = options.days - 1
    left = np.full((options.stores * options.items, 30), -1)
    place = {pair: n for n, pair in enumerate(zip(truth.store_ids, truth.item_ids, strict=True))}
    stock = shop.stock.to_pydict()
    for day, store, item, units in zip(*stock.values(), strict=True):
        left[place[store, item], (day - options.end).days + 29] = units

    assert (left >= 0).all(), "a row for each series and day, and never less than nothing"
    sold = truth.units[:, last - 29 : last + 1]
    short = truth.short[:, last - 29 : last + 1]
    there = truth.stock[:, last - 29 : last + 1]
    assert (left[short] == (there - sold)[short]).all()
    # Without a delivery a day leaves what there was less what it sold; a delivery only adds.
    change = left[:, 1:] - left[:, :-1] + sold[:, 1:]
    assert (change[~short[:, 1:]] >= 0).all()
    assert 0.5 < np.mean(change == 0) < 0.99
    cover = left.mean(axis=1) / np.maximum(sold.mean(axis=1), 0.1)
    assert 2 < np.median(cover) < 20


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.37])
def test_units_at_another_price_are_those_of_a_shop_that_asks_it(factor: float) -> None:
    shop = generate(SMALL)
    options, truth, catalogue = shop.options, shop.truth, shop.catalogue
    days = make_days(options)
    demand = []
    for store in range(options.stores):
        plan = plan_store(options, catalogue, days, store)
        demand.append(mean_demand(catalogue, days, replace(plan, price=plan.price * factor), store))
    rate = np.concatenate([block.T for block in demand])

    found = np.stack(
        [
            units_at(truth, options.start + timedelta(days=n), truth.price[:, n] * factor)
            for n in range(len(days))
        ],
        axis=1,
    )
    assert (found[~truth.open] == 0).all()
    np.testing.assert_allclose(found, rate, rtol=1e-12)
    # A price of its own for each series.
    noon = date(2026, 1, 15)
    price = np.linspace(1, 20, len(truth.item))
    sold = truth.rate[:, truth.column(noon)] > 0
    once, twice = (units_at(truth, noon, price * times)[sold] for times in (1, 2))
    planted = catalogue.elasticity[truth.item]
    np.testing.assert_allclose(np.log2(twice / once), planted[sold])


def test_demand_of_a_day_that_the_shop_does_not_know_is_refused() -> None:
    truth = generate(SMALL).truth
    price = np.ones(len(truth.item))
    last = SMALL.last_planned
    assert units_at(truth, last, price).shape == (len(truth.item),)
    for day in (SMALL.start - timedelta(days=1), last + timedelta(days=1)):
        with pytest.raises(ValueError, match=f"to {last}, not on {day}"):
            units_at(truth, day, price)
