"""All that is needed to make lists as of a day, and what was bought afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.facts.names import place_of
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.candidates import (
    Ragged,
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
    until,
)
from daybreak.models.recommendations.features.histories import default_row, histories
from daybreak.models.recommendations.features.learned import Learned, OnTheDay, on_the_day
from daybreak.models.recommendations.numbers import DEFAULT, Numbers


@dataclass(frozen=True)
class Day:
    """All that is needed to make lists as of a day.

    A purchase in the ``window`` days after it makes a candidate relevant.
    """

    day: int
    catalogue: Catalogue
    learned: OnTheDay
    rows: SnapshotRows
    numbers: Numbers

    @property
    def window(self) -> int:
        """Days."""
        return self.numbers.window_days


def day_of(events: Events, day: int, learned: Learned, numbers: Numbers = DEFAULT) -> Day:
    """As of ``day`` (since 1970-01-01); later events are not looked at."""
    known = until(events, day)
    date = EPOCH + timedelta(days=day)
    catalogue = build_catalogue(item_days(known), date, numbers)
    rows = histories(known, date, numbers)
    return Day(day, catalogue, on_the_day(learned, catalogue), rows, numbers)


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


def with_default(rows: SnapshotRows) -> SnapshotRows:
    """The rows, and after them the default row."""
    nobody = default_row()
    return SnapshotRows(
        (np.concatenate([rows.keys[0], nobody.keys[0]]),),
        np.concatenate([rows.values, nobody.values]),
        rows.records,
        np.append(record_offsets(rows), len(rows.records)).astype(np.int64),
    )
