"""The union of sources against loops, and that no user's bits depend on the others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features import candidates as candidates_module
from daybreak.models.recommendations.features.assemble import FEATURES, assemble
from daybreak.models.recommendations.features.candidates import (
    SOURCES,
    TAKEN,
    Candidates,
    Ragged,
    Wish,
    candidates,
    cut,
)
from daybreak.models.recommendations.features.catalogue import SPANS
from daybreak.models.recommendations.features.histories import default_row
from daybreak.models.recommendations.learn.day import Day, chosen, day_of
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import DAY, random_events, with_later
from recommendation_oracle import candidates_of, records_of

KERNELS = Kernels(neighbours=6)


@cache
def shop(seed: int, items: int = 25, events: int = 300) -> Day:
    known = random_events(seed, items=items, events=events, days=120)
    learned = learn(known, KERNELS, threads=1)
    return day_of(known, DAY, replace(learned, popular_days=SPANS[seed % len(SPANS)]))


def ragged(lists: list[tuple[int, ...]]) -> Ragged:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return Ragged(offsets, np.array([item for one in lists for item in one], np.int64))


def with_stranger(rows: SnapshotRows) -> SnapshotRows:
    nobody = default_row()
    assert rows.offsets is not None
    return SnapshotRows(
        (np.concatenate([nobody.keys[0], rows.keys[0]]),),
        np.concatenate([nobody.values, rows.values]),
        rows.records,
        np.concatenate([[0], rows.offsets]),
    )


def as_dict(found: Candidates, user: int) -> dict[int, dict[str, tuple[float, int]]]:
    rows = range(found.offsets[user], found.offsets[user + 1])
    return {
        int(found.item[row]): {
            name: (float(found.scores[row, n]), int(found.ranks[row, n]))
            for n, name in enumerate(SOURCES)
            if not np.isnan(found.scores[row, n])
        }
        for row in rows
    }


few = st.lists(st.integers(0, 24), max_size=4, unique=True).map(sorted).map(tuple)


@settings(deadline=None, max_examples=30)
@given(
    st.data(),
    st.integers(0, 3),
    st.sampled_from([None, 1.0, 0.5, 0.1]),
    st.booleans(),
    st.integers(0, 20),
)
def test_the_union_equals_loops(
    data: st.DataObject, seed: int, left_out: float | None, narrow: bool, least: int
) -> None:
    at = shop(seed)
    rows = with_stranger(at.rows)
    sessions = [data.draw(few) for _ in range(len(rows))]
    excluded = [data.draw(few) for _ in range(len(rows))]
    allowed = np.arange(25) % 3 > 0 if narrow else None
    new_only, has = left_out is not None, left_out or 1.0
    wish = Wish(ragged(sessions), ragged(excluded), allowed, new_only, has)
    with pytest.MonkeyPatch.context() as patch:
        # So small that the cut of each source shows on a catalogue of 25 items.
        for number, name in enumerate(SOURCES):
            patch.setitem(TAKEN, name, 2 + number % 3)
        patch.setattr(candidates_module, "LEAST", least)
        found = candidates(rows, at.catalogue, at.learned, wish)
        for user in range(len(rows)):
            wanted = candidates_of(
                rows,
                user,
                at.catalogue,
                at.learned,
                session=sessions[user],
                excluded=excluded[user],
                allowed=allowed,
                new_only=new_only,
                has=has,
            )
            assert as_dict(found, user) == wanted


def test_a_user_has_the_same_bits_alone_and_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    at = shop(1, items=60, events=900)
    rows = with_stranger(at.rows)
    session = ragged([(n % 5, 7 + n) for n in range(len(rows))])
    together = candidates(rows, at.catalogue, at.learned, Wish(session))
    features = assemble(rows, at.catalogue, at.learned, together, session)
    alone = [
        candidates(cut(rows, n, n + 1), at.catalogue, at.learned, Wish(session.of(n, n + 1)))
        for n in range(len(rows))
    ]
    of_alone = [
        assemble(cut(rows, n, n + 1), at.catalogue, at.learned, one, session.of(n, n + 1))
        for n, one in enumerate(alone)
    ]
    monkeypatch.setattr(candidates_module, "CELLS", 3 * 60)  # three users in one go
    in_threes = candidates(rows, at.catalogue, at.learned, Wish(session))

    assert np.concatenate([one.item for one in alone]).tobytes() == together.item.tobytes()
    assert np.concatenate([one.scores for one in alone]).tobytes() == together.scores.tobytes()
    assert np.concatenate([one.ranks for one in alone]).tobytes() == together.ranks.tobytes()
    assert np.concatenate(of_alone).tobytes() == features.tobytes()
    assert in_threes.offsets.tolist() == together.offsets.tolist()
    assert in_threes.item.tobytes() == together.item.tobytes()
    assert in_threes.scores.tobytes() == together.scores.tobytes()


def test_users_in_another_order_keep_their_bits() -> None:
    at = shop(2)
    order = np.random.default_rng(0).permutation(len(at.rows))
    shuffled = chosen(at.rows, order)
    first = candidates(at.rows, at.catalogue, at.learned)
    second = candidates(shuffled, at.catalogue, at.learned)
    features = assemble(at.rows, at.catalogue, at.learned, first)
    others = assemble(shuffled, at.catalogue, at.learned, second)
    for place, user in enumerate(order):
        mine = features[first.offsets[user] : first.offsets[user + 1]]
        same = others[second.offsets[place] : second.offsets[place + 1]]
        assert mine.tobytes() == same.tobytes()


@pytest.mark.parametrize("new_only", [False, True])
def test_there_are_always_enough(new_only: bool) -> None:
    at = shop(3, items=200, events=2500)
    rows = with_stranger(at.rows)
    excluded = ragged([tuple(range(0, 100, 2))] * len(rows))
    found = candidates(rows, at.catalogue, at.learned, Wish(excluded=excluded, new_only=new_only))
    for user in range(len(rows)):
        gone = set(range(0, 100, 2))
        if new_only:
            gone |= {int(r["item"]) for r in records_of(rows, user) if r["bought"] > 0}
        left = int(at.catalogue.eligible.sum()) - sum(at.catalogue.eligible[list(gone)])
        items = found.item[found.offsets[user] : found.offsets[user + 1]]
        assert len(items) >= min(100, left)
        assert not gone & set(items.tolist())


def test_nobody_gives_nothing() -> None:
    at = shop(0)
    found = candidates(cut(at.rows, 0, 0), at.catalogue, at.learned)
    assert len(found) == 0
    assert assemble(cut(at.rows, 0, 0), at.catalogue, at.learned, found).shape == (0, len(FEATURES))


def test_nothing_allowed_gives_no_candidates() -> None:
    at = shop(0)
    found = candidates(
        at.rows, at.catalogue, at.learned, Wish(allowed=np.zeros(len(at.catalogue), np.bool_))
    )
    assert found.offsets.tolist() == [0] * (len(at.rows) + 1)
    assert len(assemble(at.rows, at.catalogue, at.learned, found)) == 0


def test_events_after_the_day_change_no_bit() -> None:
    known = random_events(6)
    learned = learn(known, KERNELS, threads=1)
    before, after = (day_of(events, DAY, learned) for events in (known, with_later(known, 8)))
    for name, values in before.catalogue.to_context().items():
        assert values.tobytes() == after.catalogue.to_context()[name].tobytes()
    first, second = (candidates(at.rows, at.catalogue, at.learned) for at in (before, after))
    assert first.scores.tobytes() == second.scores.tobytes()
    features = [
        assemble(at.rows, at.catalogue, at.learned, found)
        for at, found in ((before, first), (after, second))
    ]
    assert features[0].tobytes() == features[1].tobytes()
