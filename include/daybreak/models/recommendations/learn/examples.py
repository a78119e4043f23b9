"""What the ranker learns from: candidates of past days, marked by what was bought afterwards.

Three kinds of lists are learned by one ranker, so that one booster can make them: all candidates,
only items new to the user, and what else goes into a basket that was begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.facts.names import place_of
from daybreak.models.base import Float32, SnapshotRows
from daybreak.models.recommendations.features.assemble import FEATURES, assemble
from daybreak.models.recommendations.features.candidates import (
    Candidates,
    Ragged,
    Wish,
    candidates,
    cut,
    record_column,
    record_offsets,
    record_user,
)
from daybreak.models.recommendations.features.catalogue import (
    EPOCH,
    Catalogue,
    build_catalogue,
    item_days,
)
from daybreak.models.recommendations.features.cells import (
    between,
    cells,
    firsts,
    offsets_of,
    row_numbers,
    until,
)
from daybreak.models.recommendations.features.histories import default_row, histories
from daybreak.models.recommendations.features.learned import Learned, OnTheDay, on_the_day
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

USERS_AT_ONCE = 500
KNOWN_SHARE = 0.5
"""Of begun baskets that are shown with the user's history; the others with the default row."""


@dataclass(frozen=True)
class Examples:
    """``m`` candidates in ``g`` groups, one a list. ``features`` float32 (m, F).

    ``bought``: float32 (m,), 1 where the item was bought in the window. ``sizes``: int64 (g,).
    """

    features: Float32
    bought: Float32
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bought)


@dataclass(frozen=True)
class Day:
    """All that is needed to make lists as of a day.

    ``window``: days after it in which a purchase makes a candidate relevant.
    """

    day: int
    catalogue: Catalogue
    learned: OnTheDay
    rows: SnapshotRows
    window: int


def day_of(events: Events, day: int, learned: Learned, numbers: Numbers = DEFAULT) -> Day:
    """As of ``day`` (since 1970-01-01); later events are not looked at."""
    known = until(events, day)
    date = EPOCH + timedelta(days=day)
    catalogue = build_catalogue(item_days(known), date, numbers)
    rows = histories(known, date, numbers)
    return Day(day, catalogue, on_the_day(learned, catalogue), rows, numbers.window_days)


def bought_after(later: Events, at: Day, *, new_only: bool = False) -> Ragged:
    """Distinct items that each user of ``at.rows`` bought in the window after the day, ascending.

    Ordinals are those of the day's catalogue; an item that it does not have yet gets one past its
    end, for it is wanted all the same. ``new_only``: without what the user had bought before.
    """
    rows, count = at.rows, len(at.catalogue)
    window = cells(between(later, at.day + 1, at.day + at.window))
    user_place, user_known = place_of(later.user_ids, rows.keys[0])
    item_place, item_known = place_of(later.item_ids, at.catalogue.item_id)
    item_number = np.where(item_known, item_place, count + np.arange(len(later.item_ids)))
    kept = window.bought & user_known[window.user]
    user, item = user_place[window.user[kept]], item_number[window.item[kept]]
    order = np.lexsort((item, user))
    user, item = user[order], item[order]
    once = firsts(user, item)
    user, item = user[once], item[once]
    if new_only:
        bought = record_column(rows, "bought") > 0
        stride = count + len(later.item_ids)
        old = record_user(rows) * stride + record_column(rows, "item").astype(np.int64)
        fresh = ~np.isin(user * stride + item, old[bought])
        user, item = user[fresh], item[fresh]
    return Ragged(offsets_of(user, len(rows)), item)


def chosen(rows: SnapshotRows, users: NDArray[np.integer]) -> SnapshotRows:
    """The snapshot rows of ``users`` (ascending or not, repeated or not)."""
    before = record_offsets(rows)
    sizes = np.diff(before)[users]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    record = np.arange(offsets[-1]) + np.repeat(before[users] - offsets[:-1], sizes)
    return SnapshotRows(
        tuple(key[users] for key in rows.keys),
        rows.values[users],
        rows.records[record],
        offsets,
    )


def chosen_items(lists: Ragged, users: NDArray[np.integer]) -> Ragged:
    """The lists of ``users``."""
    sizes = np.diff(lists.offsets)[users]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    place = np.arange(offsets[-1]) + np.repeat(lists.offsets[users] - offsets[:-1], sizes)
    return Ragged(offsets, lists.item[place])


def marks(found: Candidates, relevant: Ragged) -> NDArray[np.bool_]:
    """Which candidates are among the user's relevant items, (c,)."""
    stride = 1 + max(int(found.item.max(initial=0)), int(relevant.item.max(initial=0)))
    key = row_numbers(found.offsets) * stride + found.item
    return np.isin(key, row_numbers(relevant.offsets) * stride + relevant.item)


def examples(
    events: Events,
    at: Day,
    *,
    users: int,
    negatives: int,
    sessions: int,
    generator: np.random.Generator,
) -> Examples:
    """Lists of users who bought in the window after ``at.day``, and of begun baskets.

    ``users``: at most so many, drawn for each kind of list. ``negatives``: candidates that were
    not bought, drawn for each list. ``sessions``: baskets.
    """
    parts: list[Examples] = []
    for new_only in (False, True):
        relevant = bought_after(events, at, new_only=new_only)
        buyers = np.flatnonzero(np.diff(relevant.offsets))
        buyers = np.sort(generator.permutation(buyers)[:users])
        parts += _lists(
            at,
            chosen(at.rows, buyers),
            chosen_items(relevant, buyers),
            Wish(new_only=new_only),
            negatives=negatives,
            generator=generator,
        )
    if sessions:
        rows, begun, rest = begun_baskets(events, at, sessions, generator)
        wish = Wish(session=begun)
        parts += _lists(at, rows, rest, wish, negatives=negatives, generator=generator)
    return joined(parts)


def joined(parts: Sequence[Examples]) -> Examples:
    """All lists of ``parts``, in order."""
    if not parts:
        empty = np.empty((0, len(FEATURES)), np.float32)
        return Examples(empty, np.empty(0, np.float32), np.empty(0, np.int64))
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.bought for part in parts]),
        np.concatenate([part.sizes for part in parts]),
    )


def begun_baskets(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[SnapshotRows, Ragged, Ragged]:
    """Baskets of the window cut in two: one to three items that were seen, and the rest.

    Half of them are shown with the default row, as those of unknown users would be.
    """
    later = between(events, at.day + 1, at.day + at.window)
    # What unknown users bought in no known basket may be anybody's.
    identified = (later.basket != 0) | (later.user != UNKNOWN_USER)
    buying = np.flatnonzero((later.weight >= PURCHASE) & identified)
    basket = np.where(later.basket == 0, later.day, later.basket)[buying]
    user, item = later.user[buying].astype(np.int64), later.item[buying].astype(np.int64)
    order = np.lexsort((item, basket, user))
    user, basket, item = user[order], basket[order], item[order]
    once = firsts(user, basket, item)
    user, basket, item = user[once], basket[once], item[once]
    group = np.cumsum(firsts(user, basket)) - 1
    size = np.bincount(group)
    picked = np.sort(generator.permutation(np.flatnonzero(size > 1))[:count])
    kept = np.isin(group, picked)
    group, item, user = np.searchsorted(picked, group[kept]), item[kept], user[kept]
    # In an order of chance, the first one to three of a basket are what was seen.
    order = np.lexsort((generator.random(len(group)), group))
    group, item, user = group[order], item[order], user[order]
    place = np.arange(len(group)) - np.searchsorted(group, group)
    seen = place < np.minimum(generator.integers(1, 4, len(picked)), size[picked] - 1)[group]
    known = generator.random(len(picked)) < KNOWN_SHARE
    rows = _rows_or_default(events, at.rows, user[place == 0], known)
    rest = np.lexsort((item[~seen], group[~seen]))
    return (
        rows,
        Ragged(offsets_of(group[seen], len(picked)), item[seen]),
        Ragged(offsets_of(group[~seen], len(picked)), item[~seen][rest]),
    )


def _rows_or_default(
    events: Events, rows: SnapshotRows, user: NDArray[np.int64], known: NDArray[np.bool_]
) -> SnapshotRows:
    """The user's row where ``known`` and there is one, else the default row."""
    nobody = default_row()
    both = SnapshotRows(
        (np.concatenate([rows.keys[0], nobody.keys[0]]),),
        np.concatenate([rows.values, nobody.values]),
        rows.records,
        np.append(record_offsets(rows), len(rows.records)).astype(np.int64),
    )
    place, has_row = place_of(events.user_ids, rows.keys[0])
    found = known & (user != UNKNOWN_USER) & has_row[user]
    return chosen(both, np.where(found, place[user], len(rows)))


def _lists(
    at: Day,
    rows: SnapshotRows,
    relevant: Ragged,
    wish: Wish,
    *,
    negatives: int,
    generator: np.random.Generator,
) -> list[Examples]:
    """Features of the bought candidates and of ``negatives`` others, for each row, in batches."""
    parts = []
    for first in range(0, len(rows), USERS_AT_ONCE):
        end = min(first + USERS_AT_ONCE, len(rows))
        block, asked = cut(rows, first, end), wish.of(first, end)
        found = candidates(block, at.catalogue, at.learned, asked)
        bought = marks(found, relevant.of(first, end))
        user = row_numbers(found.offsets)
        # The bought ones come first in each list, the others in an order of chance.
        order = np.lexsort((generator.random(len(found)), ~bought, user))
        place = np.empty(len(found), np.int64)
        place[order] = np.arange(len(found)) - found.offsets[user]
        hits = np.bincount(user[bought], minlength=len(block))
        kept = (bought | (place < hits[user] + negatives)) & (hits > 0)[user]
        # Shares look at a user's best candidate, so features are made of the whole list.
        features = assemble(block, at.catalogue, at.learned, found, asked.session)[kept]
        sizes = np.bincount(user[kept], minlength=len(block))
        parts.append(Examples(features, bought[kept].astype(np.float32), sizes[sizes > 0]))
    return parts
