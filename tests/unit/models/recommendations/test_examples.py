"""What the ranker is taught: only later purchases, only of candidates, nothing from the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daybreak.facts.events import UNKNOWN_USER, Events
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.candidates import Wish, candidates
from daybreak.models.recommendations.features.cells import row_numbers, until
from daybreak.models.recommendations.learn.day import Day, bought_after, chosen, day_of
from daybreak.models.recommendations.learn.examples import examples, marks
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from daybreak.models.recommendations.learn.sessions import MOST_SEEN, begun_baskets
from random_events import DAY, purchases, random_events

WINDOW = 7
BEFORE = DAY - WINDOW
KERNELS = Kernels(neighbours=8)


def day_before(events: Events) -> Day:
    known = until(events, BEFORE)
    return day_of(known, BEFORE, learn(known, KERNELS, threads=1))


@pytest.fixture(scope="module")
def events() -> Events:
    return random_events(41, users=20, items=30, events=900)


@pytest.fixture(scope="module")
def at(events: Events) -> Day:
    return day_before(events)


def lists(events: Events, at: Day, negatives: int = 5) -> np.ndarray:
    made = examples(
        events,
        at,
        users=100,
        negatives=negatives,
        sessions=10,
        generator=np.random.default_rng(0),
    )
    assert made.sizes.sum() == len(made) == len(made.features)
    return made.bought


@pytest.mark.parametrize("new_only", [False, True])
def test_relevant_is_what_was_bought_in_the_seven_days_after(
    events: Events, at: Day, new_only: bool
) -> None:
    relevant = bought_after(events, at, new_only=new_only)
    for place, name in enumerate(at.rows.keys[0]):
        user = events.user_ids.tolist().index(name)
        mine = (events.user == user) & (events.weight >= 1)
        window = mine & (events.day > BEFORE) & (events.day <= BEFORE + WINDOW)
        wanted = set(events.item[window].tolist())
        if new_only:
            wanted -= set(events.item[mine & (events.day <= BEFORE)].tolist())
        got = relevant.item[relevant.offsets[place] : relevant.offsets[place + 1]]
        assert got.tolist() == sorted(wanted)


def test_an_item_that_comes_later_is_relevant_but_no_candidate(events: Events, at: Day) -> None:
    # The same purchases, from a reader that knows one more item, which all have bought.
    names = np.concatenate([["I0005"], events.item_ids]).astype(object)
    order = np.argsort(names.astype(str))
    number = np.argsort(order)
    item = np.where(events.day > BEFORE, number[0], number[events.item + 1]).astype(np.int32)
    later = replace(
        events, item_ids=names[order], categories=np.full(len(names), "", object), item=item
    )
    relevant = bought_after(later, at)
    assert len(relevant.item)
    assert (relevant.item >= len(at.catalogue)).all()
    found = candidates(at.rows, at.catalogue, at.learned)
    assert not marks(found, relevant).any()


def test_each_list_has_what_was_bought_and_some_that_was_not(events: Events, at: Day) -> None:
    made = examples(
        events, at, users=100, negatives=5, sessions=0, generator=np.random.default_rng(0)
    )
    wanted: list[tuple[int, int]] = []
    lists_of_all = 0
    for new_only in (False, True):
        relevant = bought_after(events, at, new_only=new_only)
        found = candidates(at.rows, at.catalogue, at.learned, Wish(new_only=new_only))
        hit = row_numbers(found.offsets)[marks(found, relevant)]
        hits = np.bincount(hit, minlength=len(at.rows))
        left = np.diff(found.offsets) - hits
        wanted += [(h, h + min(5, n)) for h, n in zip(hits, left, strict=True) if h]
        lists_of_all = lists_of_all or len(wanted)
    owner = np.repeat(np.arange(len(made.sizes)), made.sizes)
    hits = np.bincount(owner, made.bought)
    assert list(zip(hits, made.sizes, strict=True)) == wanted
    bought_before = made.features[:, FEATURES.index("pair_bought")] > 0
    of_new = owner >= lists_of_all
    assert bought_before[~of_new].any()
    assert not bought_before[of_new].any()


def test_only_so_many_users_are_drawn(events: Events, at: Day) -> None:
    made = examples(
        events, at, users=3, negatives=5, sessions=0, generator=np.random.default_rng(0)
    )
    assert len(made.sizes) <= 6


def test_labels_do_not_reach_the_features(events: Events, at: Day) -> None:
    """Whatever is bought in the window, the same candidates have the same features."""
    shuffled = random_events(42, users=20, items=30, events=900)
    window, past = shuffled.day > BEFORE, events.day <= BEFORE
    names = ("user", "item", "day", "at", "basket", "weight", "quantity", "price")
    both = {
        name: np.concatenate([getattr(events, name)[past], getattr(shuffled, name)[window]])
        for name in names
    }
    order = np.lexsort((both["at"], both["user"]))
    other = replace(events, **{name: values[order] for name, values in both.items()})
    assert until(other, BEFORE).item.tolist() != other.item.tolist()

    again = day_of(until(other, BEFORE), BEFORE, learn(until(events, BEFORE), KERNELS, threads=1))
    mine = day_of(other, BEFORE, learn(until(other, BEFORE), KERNELS, threads=1))
    for name, values in again.catalogue.to_context().items():
        assert values.tobytes() == mine.catalogue.to_context()[name].tobytes()
    assert again.rows.values.tobytes() == mine.rows.values.tobytes()
    assert again.rows.records.tobytes() == mine.rows.records.tobytes()
    assert again.rows.keys[0].tolist() == at.rows.keys[0].tolist()


def test_a_begun_basket_is_cut_in_two(events: Events, at: Day) -> None:
    # Every basket of the window again, this time by day and user where none is known.
    rows, seen, rest = begun_baskets(events, at, 1000, np.random.default_rng(1))
    assert len(rows) > 5
    baskets: dict[tuple[int, int], set[int]] = {}
    for n in range(len(events)):
        if events.weight[n] < 1 or not BEFORE < events.day[n] <= DAY:
            continue
        if events.basket[n] == 0 and events.user[n] == UNKNOWN_USER:
            continue
        key = (int(events.user[n]), int(events.basket[n] or events.day[n]))
        baskets.setdefault(key, set()).add(int(events.item[n]))
    wide = [items for items in baskets.values() if len(items) > 1]
    assert len(rows) == len(wide)
    for place in range(len(rows)):
        shown = seen.item[seen.offsets[place] : seen.offsets[place + 1]].tolist()
        others = rest.item[rest.offsets[place] : rest.offsets[place + 1]].tolist()
        assert 1 <= len(shown) <= MOST_SEEN
        assert others == sorted(others)
        assert others
        assert set(shown) | set(others) in wide
        assert not set(shown) & set(others)
    unknown = rows.keys[0] == ""
    assert 0 < unknown.sum() < len(rows)
    assert rows.offsets is not None
    assert (np.diff(rows.offsets)[unknown] == 0).all()


def test_sessions_are_of_any_length_that_baskets_allow() -> None:
    lines = [(f"u{user}", f"i{n:02d}", 3) for user in range(300) for n in range(2 + user % 30)]
    known = purchases([*lines, ("v", "i00", 9)])
    at = day_before(known)
    _, seen, rest = begun_baskets(known, at, 1000, np.random.default_rng(0))
    shown, others = np.diff(seen.offsets), np.diff(rest.offsets)
    assert set(shown) == set(range(1, MOST_SEEN + 1))
    for size in (2, 5, 31):
        of_size = shown[shown + others == size]
        assert len(of_size) == 10
        assert of_size.max() <= min(size - 1, MOST_SEEN)
    assert (shown <= 5).sum() > (shown > 15).sum() > 0


def test_half_of_the_sessions_are_of_users_with_history_however_few_they_are() -> None:
    lines = [(f"u{user:02d}", f"i{n}", 3) for user in range(60) for n in range(4)]
    known = purchases([*lines, *((f"u{user:02d}", "i0", 12) for user in range(12))])
    at = day_before(known)
    for count, shown in ((10, 5), (20, 10), (40, 12), (1000, 12)):
        rows, seen, rest = begun_baskets(known, at, count, np.random.default_rng(0))
        names = rows.keys[0].tolist()
        assert len(names) == len(seen.offsets) - 1 == len(rest.offsets) - 1 == min(count, 60)
        with_history = [name for name in names if name]
        assert len(set(with_history)) == len(with_history) == shown
        assert set(with_history) <= {f"u{user:02d}" for user in range(12)}
    # A session is shown with the history of the user who had the basket.
    own = purchases([(f"u{n}", item, days) for n in range(9) for item in (f"i{n}", f"j{n}")
                     for days in (3, 12)])  # fmt: skip
    rows, seen, rest = begun_baskets(own, day_before(own), 9, np.random.default_rng(0))
    for place, name in enumerate(rows.keys[0]):
        if name:
            items = {own.item_ids[lists.item[lists.offsets[place]]] for lists in (seen, rest)}
            assert items == {f"i{name[1:]}", f"j{name[1:]}"}


def test_chosen_rows_are_those_rows(at: Day) -> None:
    users = np.array([3, 0, 3])
    rows = chosen(at.rows, users)
    assert at.rows.offsets is not None
    assert rows.offsets is not None
    assert rows.keys[0].tolist() == at.rows.keys[0][users].tolist()
    for place, user in enumerate(users):
        mine = rows.records[rows.offsets[place] : rows.offsets[place + 1]]
        same = at.rows.records[at.rows.offsets[user] : at.rows.offsets[user + 1]]
        assert mine.tobytes() == same.tobytes()


def test_the_same_seed_draws_the_same_lists(events: Events, at: Day) -> None:
    assert lists(events, at).tobytes() == lists(events, at).tobytes()
