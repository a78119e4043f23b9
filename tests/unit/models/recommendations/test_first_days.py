"""Lists of users who come for the first time, against plain loops over their events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from daybreak.facts.events import Events
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.candidates import Ragged, record_column
from daybreak.models.recommendations.features.cells import until, where
from daybreak.models.recommendations.features.histories import LAYOUT, default_row
from daybreak.models.recommendations.learn.day import Day, day_of
from daybreak.models.recommendations.learn.examples import examples
from daybreak.models.recommendations.learn.first_days import first_days, newcomers
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import DAY, random_events

WINDOW = 7
BEFORE = DAY - WINDOW
KERNELS = Kernels(neighbours=8)


@pytest.fixture(scope="module")
def events() -> Events:
    """Of 60 users, a third came in the window only, and a third on one day before it only."""
    found = random_events(61, users=60, items=30, events=15_000)
    day, kind = found.day.copy(), found.user % 3
    one_day = DAY - 8 - found.user % 40
    kept = (found.user < 0) | (kind == 2)
    kept |= (kind == 0) & (day > BEFORE)
    kept |= (kind == 1) & (day == one_day)
    return where(found, kept)


@pytest.fixture(scope="module")
def at(events: Events) -> Day:
    known = until(events, BEFORE)
    return day_of(known, BEFORE, learn(known, KERNELS, threads=1))


def of(lists: Ragged) -> list[list[int]]:
    return [
        lists.item[start:end].tolist()
        for start, end in zip(lists.offsets[:-1], lists.offsets[1:], strict=True)
    ]


def first_visits(events: Events) -> Iterator[tuple[str, list[int], list[int]]]:
    """User, what they bought in the window, and on the first day of it, in order of time."""
    for user, name in enumerate(events.user_ids):
        mine = events.user == user
        if (mine & (events.day <= BEFORE)).any():
            continue
        bought = np.flatnonzero(mine & (events.weight >= 1) & (events.day > BEFORE))
        bought = bought[np.argsort(events.at[bought], kind="stable")]
        if len(bought):
            day = events.day[bought] == events.day[bought].min()
            first = list(dict.fromkeys(events.item[bought[day]].tolist()))
            yield str(name), sorted(set(events.item[bought].tolist())), first


def test_a_newcomer_is_listed_for_without_a_history(events: Events, at: Day) -> None:
    rows, wanted = newcomers(events, at, 1000, np.random.default_rng(0))
    expected = [items for _, items, _ in first_visits(events)]
    assert len(expected) > 5
    assert of(wanted) == expected
    assert rows.values.tobytes() == default_row().values.tobytes() * len(expected)
    assert not len(rows.records)

    rows, wanted = newcomers(events, at, 3, np.random.default_rng(0))
    assert len(rows) == len(of(wanted)) == 3
    assert all(items in expected for items in of(wanted))


def history(rows: SnapshotRows, place: int) -> list[int]:
    assert rows.offsets is not None
    item = record_column(rows, "item").astype(int)
    return item[rows.offsets[place] : rows.offsets[place + 1]].tolist()


def test_the_last_items_of_a_first_day_are_held_out(events: Events, at: Day) -> None:
    rows, wanted = first_days(events, at, 1000, np.random.default_rng(0))
    expected = {name: first for name, _, first in first_visits(events) if len(first) > 1}
    assert len(expected) > 5
    assert rows.keys[0].tolist() == list(expected)
    ages = set(at.rows.values[at.rows.values[:, LAYOUT.index("user_visits")] == 1, 4].tolist())
    assert len(ages) > 3
    for place, (first, held_out) in enumerate(zip(expected.values(), of(wanted), strict=True)):
        assert 1 <= len(held_out) <= len(first) // 2
        assert held_out == sorted(first[-len(held_out) :])
        assert history(rows, place) == sorted(first[: -len(held_out)])
        values = dict(zip(LAYOUT, rows.values[place].tolist(), strict=True))
        assert (values["user_visits"], values["user_items"]) == (1, len(first) - len(held_out))
        assert values["user_last"] == values["user_first"] in ages


def test_of_one_moment_chance_says_which_items_are_the_last(events: Events, at: Day) -> None:
    one = replace(events, at=events.day.astype(np.int64))
    drawn = [of(first_days(one, at, 1000, np.random.default_rng(seed))[1]) for seed in range(2)]
    assert drawn[0] != drawn[1]
    again = of(first_days(one, at, 1000, np.random.default_rng(0))[1])
    assert again == drawn[0]


def test_no_more_first_days_are_drawn_than_there_are_users_of_one_day(
    events: Events, at: Day
) -> None:
    visits = at.rows.values[:, LAYOUT.index("user_visits")]
    share = (visits == 1).sum() / (visits > 0).sum()
    assert 0.3 < share < 0.7
    rows, _ = first_days(events, at, 6, np.random.default_rng(0))
    assert len(rows) == round(6 * share)
    regulars = replace(at, rows=replace_visits(at.rows))
    assert not len(first_days(events, regulars, 1000, np.random.default_rng(0))[0])


def replace_visits(rows: SnapshotRows) -> SnapshotRows:
    values = rows.values.copy()
    values[:, LAYOUT.index("user_visits")] = 2
    return SnapshotRows(rows.keys, values, rows.records, rows.offsets)


def test_both_are_learned_from_where_nobody_comes_back(events: Events, at: Day) -> None:
    came = np.isin(events.user, np.unique(events.user[events.day <= BEFORE]))
    once = where(events, (events.user < 0) | ~came | (events.day <= BEFORE))
    made = examples(
        once, at, users=100, negatives=5, sessions=20, generator=np.random.default_rng(0)
    )
    visits = made.features[np.cumsum(made.sizes) - 1, FEATURES.index("user_visits")]
    assert made.returning < len(made.sizes)
    later = visits[made.returning :]
    assert (later == 0).sum() > 5
    assert (later == 1).sum() > 5
    assert later[: (later == 0).sum()].tolist() == [0.0] * (later == 0).sum()
