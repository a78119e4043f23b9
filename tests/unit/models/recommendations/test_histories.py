"""Snapshot rows against plain loops, and what must not change a bit of them."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.facts.events import Events
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.cells import until, where
from daybreak.models.recommendations.features.histories import (
    DEFAULT_USER,
    LAYOUT,
    RECORD,
    default_row,
    histories,
)
from random_events import DAY, TODAY, random_events, with_later


def same_bits(left: SnapshotRows, right: SnapshotRows) -> bool:
    return (
        left.keys[0].tolist() == right.keys[0].tolist()
        and left.values.tobytes() == right.values.tobytes()
        and left.records.tobytes() == right.records.tobytes()
        and left.offsets is not None
        and right.offsets is not None
        and left.offsets.tolist() == right.offsets.tolist()
    )


def oracle(events: Events, user: int) -> tuple[dict[str, float], list[dict[str, float]]]:
    """One user by loops over their events."""
    mine = [n for n in range(len(events)) if events.user[n] == user and events.day[n] <= DAY]
    by_item_day: dict[tuple[int, int], list[int]] = {}
    for n in mine:
        by_item_day.setdefault((int(events.item[n]), int(events.day[n])), []).append(n)
    records, prices = [], []
    for item in sorted({item for item, _ in by_item_day}):
        days = sorted(day for one, day in by_item_day if one == item)
        weight = {day: max(events.weight[n] for n in by_item_day[item, day]) for day in days}
        bought = [day for day in days if weight[day] >= 1]
        units, price = 0.0, nan
        for day in days:
            of_day = nan
            for n in by_item_day[item, day]:
                if not isnan(events.price[n]):
                    of_day = events.price[n]
                if events.weight[n] >= 1 and not isnan(events.quantity[n]):
                    units += events.quantity[n]
            price = price if isnan(of_day) else of_day
            if day in bought and not isnan(of_day):
                prices.append(of_day)
        records.append(
            {
                "item": item,
                "bought": len(bought),
                "short": sum(weight[day] * 0.5 ** ((DAY - day) / 14) for day in days),
                "long": sum(weight[day] * 0.5 ** ((DAY - day) / 90) for day in days),
                "last": DAY - bought[-1] if bought else nan,
                "first": DAY - bought[0] if bought else nan,
                "seen": DAY - days[-1],
                "quantity": units / len(bought) if units > 0 else nan,
                "price": price,
                "strongest": max(weight.values()),
            }
        )
    purchases = sum(record["bought"] for record in records)
    items = sum(record["bought"] > 0 for record in records)
    visits = sorted(
        {day for (_, day), rows in by_item_day.items() if max(events.weight[rows]) >= 1}
    )
    values = {
        "user_items": items,
        "user_purchases": purchases,
        "user_visits": len(visits),
        "user_visits_28": sum(DAY - day < 28 for day in visits),
        "user_last": DAY - visits[-1] if visits else nan,
        "user_first": DAY - visits[0] if visits else nan,
        "user_gap": (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else nan,
        "user_basket": purchases / len(visits) if visits else nan,
        "user_price": sum(prices) / len(prices) if prices else nan,
        "user_repeat": (purchases - items) / purchases if purchases else nan,
        "user_seen": DAY - max(int(events.day[n]) for n in mine),
    }
    return values, records


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 200))
def test_rows_equal_a_loop_over_events(seed: int, size: int) -> None:
    events = random_events(seed, users=5, items=7, events=size)
    rows = histories(events, TODAY)
    assert rows.offsets is not None

    known = sorted(set(events.user[events.user >= 0].tolist()))
    assert rows.keys[0].tolist() == events.user_ids[known].tolist()
    for place, user in enumerate(known):
        values, records = oracle(events, user)
        wanted = np.array([values[name] for name in LAYOUT])
        np.testing.assert_allclose(rows.values[place], wanted, rtol=1e-6)
        mine = rows.records[rows.offsets[place] : rows.offsets[place + 1]]
        wanted = np.array([[record[name] for name in RECORD] for record in records])
        np.testing.assert_allclose(mine, wanted, rtol=1e-6)


def test_events_after_the_day_change_no_bit() -> None:
    events = random_events(1)
    assert same_bits(histories(events, TODAY), histories(with_later(events, 2), TODAY))


def test_a_user_has_the_same_bits_alone_and_among_others() -> None:
    events = random_events(3, events=600)
    together = histories(events, TODAY)
    assert together.offsets is not None
    for place, key in enumerate(together.keys[0]):
        user = events.user_ids.tolist().index(key)
        alone = histories(where(events, events.user == user), TODAY)
        assert alone.keys[0].tolist() == [key]
        assert alone.values.tobytes() == together.values[place : place + 1].tobytes()
        mine = together.records[together.offsets[place] : together.offsets[place + 1]]
        assert alone.records.tobytes() == mine.tobytes()


def test_the_stranger_has_counts_of_zero_and_no_records() -> None:
    row = default_row()
    assert row.keys[0].tolist() == [DEFAULT_USER]
    named = dict(zip(LAYOUT, row.values[0].tolist(), strict=True))
    assert named["user_items"] == named["user_visits"] == 0
    assert isnan(named["user_last"])
    assert isnan(named["user_price"])
    assert row.offsets is not None
    assert row.offsets.tolist() == [0, 0]


def test_an_old_event_counts_for_nothing_but_is_known() -> None:
    events = random_events(4, users=1, items=1, events=1)
    old = where(events, events.user >= 0)
    old.day[:] = DAY - 5000
    old.weight[:] = 1.0
    if len(old):
        record = dict(zip(RECORD, histories(old, TODAY).records[0].tolist(), strict=True))
        assert record["long"] == 0
        assert record["last"] == 5000


@pytest.mark.parametrize("day", [DAY - 3, DAY - 20])
def test_an_earlier_day_is_that_day_s_own_history(day: int) -> None:
    events = random_events(5)
    date = TODAY.fromordinal(TODAY.toordinal() - (DAY - day))
    assert same_bits(histories(events, date), histories(until(events, day), date))
