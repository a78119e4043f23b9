"""Begun baskets: the sessions that the ranker learns from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.facts.names import place_of
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.features.cells import between, firsts, offsets_of
from daybreak.models.recommendations.learn.day import Day, chosen, with_default

KNOWN_SHARE = 0.5
"""Of begun baskets that are shown with the user's history, however few users have one."""
MOST_SEEN = 20
"""Items of a begun basket at most: those of a request beyond them add little."""


def begun_baskets(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[SnapshotRows, Ragged, Ragged]:
    """Baskets of the window cut in two: 1 to ``MOST_SEEN`` items that were seen, and the rest.

    Any number of them is as likely as another, up to what the basket has; so most sessions are as
    short as most baskets, and long ones are learned too. Half of them are of users with history, as
    far as there are such, and are shown with it. The others are shown with the default row.
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
    drawn = generator.permutation(np.flatnonzero(size > 1))
    row = _row_of(events, at.rows)[user[firsts(group)]]
    shown = drawn[row[drawn] >= 0][: round(min(count, len(drawn)) * KNOWN_SHARE)]
    others = drawn[~np.isin(drawn, shown)][: count - len(shown)]
    picked = np.sort(np.concatenate([shown, others]))
    kept = np.isin(group, picked)
    group, item, user = np.searchsorted(picked, group[kept]), item[kept], user[kept]
    # In an order of chance, the first ones of a basket are what was seen.
    order = np.lexsort((generator.random(len(group)), group))
    group, item, user = group[order], item[order], user[order]
    place = np.arange(len(group)) - np.searchsorted(group, group)
    most = np.minimum(size[picked] - 1, MOST_SEEN)
    seen = place < (1 + (generator.random(len(picked)) * most).astype(np.int64))[group]
    row = np.where(np.isin(picked, shown), row[picked], len(at.rows))
    rest = np.lexsort((item[~seen], group[~seen]))
    return (
        chosen(with_default(at.rows), row),
        Ragged(offsets_of(group[seen], len(picked)), item[seen]),
        Ragged(offsets_of(group[~seen], len(picked)), item[~seen][rest]),
    )


def _row_of(events: Events, rows: SnapshotRows) -> NDArray[np.int64]:
    """The row of each user, -1 where there is none; the last element, of an unknown user, too."""
    place, has_row = place_of(events.user_ids, rows.keys[0])
    return np.append(np.where(has_row, place, -1), -1)
