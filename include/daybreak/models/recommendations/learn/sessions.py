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
"""Of begun baskets that are shown with the user's history; the others with the default row."""
MOST_SEEN = 20
"""Items of a begun basket at most: those of a request beyond them add little."""


def begun_baskets(
    events: Events, at: Day, count: int, generator: np.random.Generator
) -> tuple[SnapshotRows, Ragged, Ragged]:
    """Baskets of the window cut in two: 1 to ``MOST_SEEN`` items that were seen, and the rest.

    Any number of them is as likely as another, up to what the basket has; so most sessions are as
    short as most baskets, and long ones are learned too. Half of them are shown with the default
    row, as those of unknown users would be.
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
    # In an order of chance, the first ones of a basket are what was seen.
    order = np.lexsort((generator.random(len(group)), group))
    group, item, user = group[order], item[order], user[order]
    place = np.arange(len(group)) - np.searchsorted(group, group)
    most = np.minimum(size[picked] - 1, MOST_SEEN)
    seen = place < (1 + (generator.random(len(picked)) * most).astype(np.int64))[group]
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
    place, has_row = place_of(events.user_ids, rows.keys[0])
    found = known & (user != UNKNOWN_USER) & has_row[user]
    return chosen(with_default(rows), np.where(found, place[user], len(rows)))
