"""Users who come for the first time: what the lists of newcomers and of short histories learn from.

Nobody has to come back for them. A newcomer is listed for without a history, and what they then
buy is wanted. Of the items of their first day, the last are held out, and the others are taken for
a history of one day. So a shop whose users come once teaches what goes together, too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.facts.names import place_of
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.cells import firsts, offsets_of, where
from daybreak.models.recommendations.features.histories import LAYOUT, default_row, histories
from daybreak.models.recommendations.learn.day import Day, chosen


def newcomers(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[SnapshotRows, Ragged]:
    """The default row for each of ``count`` users without history, and what they bought.

    ``events`` are those that the day was made of, and later ones. Items are ordinals of the day's
    catalogue, ascending.
    """
    rows = _bought_by_newcomers(events, at)
    user, item = events.user[rows].astype(np.int64), events.item[rows].astype(np.int64)
    order = np.lexsort((item, user))
    user, item = user[order], item[order]
    once = firsts(user, item)
    user, item = user[once], item[once]
    drawn = np.sort(generator.permutation(np.unique(user))[:count])
    kept = np.isin(user, drawn)
    wanted = Ragged(offsets_of(np.searchsorted(drawn, user[kept]), len(drawn)), item[kept])
    return chosen(default_row(), np.zeros(len(drawn), np.int64)), wanted


def first_days(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[SnapshotRows, Ragged]:
    """Rows of users who bought several items on their first day, and the items held out of these.

    As ``newcomers``. No greater share of ``count`` is drawn than users of one day have among all:
    where most come back, their lists teach short histories better. Up to half of the items are held
    out. The others are a history as old as that of some user of one day: half of its weight is
    gone by the next list anyway, and nothing shall depend on its being from today.
    """
    history, wanted = first_days_cut(events, at, count, generator)
    return histories(history, EPOCH + timedelta(days=at.day), at.numbers), wanted


def first_days_cut(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[Events, Ragged]:
    """The events that are a history of one day, and by user the items held out, for ``first_days``.

    Users are in order; each has both.
    """
    days = at.rows.values[:, LAYOUT.index("user_visits")]
    age = at.rows.values[days == 1, LAYOUT.index("user_last")].astype(np.int32)
    count = round(count * len(age) / max(int((days > 0).sum()), 1))
    rows = _bought_by_newcomers(events, at)
    first = np.full(len(events.user_ids), np.iinfo(np.int32).max)
    np.minimum.at(first, events.user[rows], events.day[rows])
    rows = rows[events.day[rows] == first[events.user[rows]]]
    # Of the lines of one moment, as of a basket, chance says which is the last.
    rows = rows[np.lexsort((generator.random(len(rows)), events.at[rows], events.user[rows]))]
    pair = events.user[rows].astype(np.int64) * len(events.item_ids) + events.item[rows]
    rows = rows[np.sort(np.unique(pair, return_index=True)[1])]
    size = np.bincount(events.user[rows], minlength=len(events.user_ids))
    drawn = np.sort(generator.permutation(np.flatnonzero(size > 1))[:count])
    rows, size = rows[np.isin(events.user[rows], drawn)], size[drawn]
    user = np.searchsorted(drawn, events.user[rows])
    place = np.arange(len(rows)) - np.searchsorted(user, user)
    held_out = 1 + (generator.random(len(drawn)) * (size // 2)).astype(np.int64)
    seen = place < (size - held_out)[user]
    history = where(events, np.isin(np.arange(len(events)), rows[seen]))
    ago = generator.choice(age, len(drawn))[np.searchsorted(drawn, history.user)]
    moved = replace(history, day=(at.day - ago).astype(np.int32))
    user, item = user[~seen], events.item[rows[~seen]].astype(np.int64)
    order = np.lexsort((item, user))
    return moved, Ragged(offsets_of(user[order], len(drawn)), item[order])


def _bought_by_newcomers(events: Events, at: Day) -> NDArray[np.int64]:
    """Rows of ``events``: purchases within the window by users who have no history before it."""
    _, known = place_of(events.user_ids, at.rows.keys[0])
    window = (events.day > at.day) & (events.day <= at.day + at.window)
    bought = window & (events.weight >= PURCHASE) & (events.user != UNKNOWN_USER)
    rows = np.flatnonzero(bought)
    return rows[~known[events.user[rows]]]
