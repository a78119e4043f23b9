"""The items of a day against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.errors import DatasetError, NoData
from daybreak.facts.events import Events
from daybreak.models import get_model
from daybreak.models.arrays import pack, unpack
from daybreak.models.recommendations.features import catalogue as catalogue_module
from daybreak.models.recommendations.features.catalogue import (
    ITEM_STATISTICS,
    SPANS,
    Catalogue,
    build_catalogue,
    item_days,
)
from daybreak.models.recommendations.features.cells import where
from daybreak.models.recommendations.numbers import DEFAULT, NUMBERS, OF_A_DAY, PUBLISHED
from daybreak.scoring.snapshots import snapshot_layout
from random_events import DAY, TODAY, ago, random_events, with_later


def purchases_of(events: Events, item: int) -> list[int]:
    return [n for n in range(len(events)) if events.item[n] == item and events.weight[n] >= 1]


def buyer(events: Events, n: int) -> tuple[str, int]:
    if events.user[n] >= 0:
        return ("user", int(events.user[n]))
    if events.basket[n]:
        return ("basket", int(events.basket[n]))
    return ("moment", int(events.at[n]))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_statistics_equal_a_loop_over_events(seed: int) -> None:
    events = random_events(seed, items=8, events=150, days=130)
    try:
        catalogue = build_catalogue(item_days(events), TODAY)
    except NoData:
        assert all(
            DAY - events.day[n] >= DEFAULT.on_sale_days
            for i in range(8)
            for n in purchases_of(events, i)
        )
        return
    named = {name: catalogue.statistic(name) for name in ITEM_STATISTICS}
    for item in range(8):
        rows = purchases_of(events, item)
        if not rows:
            assert not catalogue.eligible[item]
            assert np.isnan(named["item_last_sold"][item])
            continue
        ages = [DAY - int(events.day[n]) for n in rows]
        by_day = {(age, buyer(events, n)) for age, n in zip(ages, rows, strict=True)}
        for span in SPANS:
            wanted = sum(age < span for age, _ in by_day)
            assert named[f"item_buyers_{span}"][item] == wanted
        assert named["item_buyers"][item] == len(by_day)
        assert named["item_last_sold"][item] == min(ages)
        assert named["item_age"][item] == max(ages)
        assert named["item_days_sold_28"][item] == len({age for age in ages if age < 28})
        assert catalogue.eligible[item] == (min(ages) < DEFAULT.on_sale_days)
        priced = [n for n in rows if not np.isnan(events.price[n] * events.quantity[n])]
        units = sum(events.quantity[priced])
        spend = sum(events.price[priced] * events.quantity[priced])
        paid = spend / units if priced else np.nan
        np.testing.assert_allclose(named["item_price_paid"][item], paid, rtol=1e-6)
        newest = max((events.day[n] for n in priced), default=0)
        last = [n for n in priced if events.day[n] == newest]
        wanted = (
            sum(events.price[last] * events.quantity[last]) / sum(events.quantity[last])
            if last
            else np.nan
        )
        np.testing.assert_allclose(named["item_price"][item], wanted, rtol=1e-6)


def test_lists_hold_each_item_on_sale_once_best_first() -> None:
    catalogue = build_catalogue(item_days(random_events(3, days=130)), TODAY)
    eligible = set(np.flatnonzero(catalogue.eligible).tolist())
    for span in SPANS:
        order = catalogue.popular_in(span)
        assert set(order.tolist()) == eligible
        assert len(order) == len(eligible)
        buyers = catalogue.statistic(f"item_buyers_{span}")[order]
        assert (np.diff(buyers) <= 0).all()
    rank = catalogue.statistic("item_rank_28")
    assert rank[catalogue.popular_in(28)].tolist() == list(range(1, len(eligible) + 1))
    for kind, name in enumerate(catalogue.category_name):
        first, end = catalogue.category_offsets[kind : kind + 2]
        mine = catalogue.by_category[first:end]
        assert name
        assert (catalogue.category[mine] == kind).all()
        assert (np.diff(rank[mine]) > 0).all()
    listed = int(((catalogue.category >= 0) & catalogue.eligible).sum())
    assert len(catalogue.by_category) == listed


def test_it_comes_back_from_the_context_bit_for_bit() -> None:
    catalogue = build_catalogue(item_days(random_events(4)), TODAY)
    content = pack(catalogue.to_context())
    back = Catalogue.from_context(unpack(content))
    assert pack(back.to_context()) == content


def test_later_sales_change_no_bit() -> None:
    events = random_events(5)
    now, then = (
        build_catalogue(item_days(known), TODAY) for known in (events, with_later(events, 6))
    )
    assert pack(now.to_context()) == pack(then.to_context())


def test_a_shop_that_sold_nothing_lately_has_no_catalogue() -> None:
    events = random_events(7)
    with pytest.raises(NoData, match="Nothing was bought in the 90 days"):
        build_catalogue(item_days(events), ago(200))
    looks = where(events, events.weight < 1)
    with pytest.raises(NoData, match="Nothing was bought"):
        build_catalogue(item_days(looks), TODAY)


def test_the_layout_of_the_context_names_its_arrays_and_the_order_of_the_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue = build_catalogue(item_days(random_events(1, items=8, events=150, days=30)), TODAY)
    arrays = [*catalogue.to_context()]
    layout = Catalogue.context_layout()
    assert list(layout) == [*arrays, *ITEM_STATISTICS]
    model = get_model("recommendations")
    assert model.night.context_layout() == (*layout, *PUBLISHED, NUMBERS, *OF_A_DAY)
    before = snapshot_layout(model)
    monkeypatch.setattr(catalogue_module, "ITEM_STATISTICS", ITEM_STATISTICS[::-1])
    assert snapshot_layout(model) != before


def test_more_items_than_lists_are_made_of_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sold = item_days(random_events(1, items=8, events=150, days=30))
    monkeypatch.setattr(catalogue_module, "MOST_COLUMNS", 8)
    assert len(build_catalogue(sold, TODAY)) == 8
    monkeypatch.setattr(catalogue_module, "MOST_COLUMNS", 7)
    with pytest.raises(DatasetError, match=r"with 8 items; .* 7 apart at most") as caught:
        build_catalogue(sold, TODAY)
    assert caught.value.details == {"field": "item_id", "items": 8, "most": 7}
    assert "one `item_id`" in caught.value.remedy
