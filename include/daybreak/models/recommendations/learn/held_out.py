"""The lists of a day that versions are measured by: of all who bought in the window after it.

That is more than users with history who came back: those who came for the first time get the
default list, and, where users mostly come once, lists of one day's history can be measured on the
last items of that day only (`first_days.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.candidates import Ragged, record_offsets
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.cells import until
from daybreak.models.recommendations.features.histories import LAYOUT, histories
from daybreak.models.recommendations.learn.day import (
    Day,
    bought_after,
    chosen_items,
    with_default,
)
from daybreak.models.recommendations.learn.first_days import first_days_cut, newcomers
from daybreak.models.recommendations.learn.sessions import begun_baskets

READINGS = {"all": False, "new": True}
"""Every purchase of the window counts; only items count that the user had not bought before."""
FIRST_DAY = "first_day"
"""The reading of the items held out of a first day. Only what is new to the user counts."""
RARELY = 0.05
"""Where a smaller share than this of what was bought is bought again, lists are for what is new."""
MOST_SESSIONS = 1000
MOST_ONCE = 0.5
"""Where a greater share of the users have bought on one day only, ``FIRST_DAY`` is judged, too."""


@dataclass(frozen=True)
class Asked:
    """``n`` lists: ``users`` int64 (n,), row numbers of the day; what each wanted, one or more."""

    users: NDArray[np.int64]
    relevant: Ragged
    new_only: bool

    def __len__(self) -> int:
        return len(self.users)

    def evenly(self, most: int | None) -> Asked:
        """At most so many of them, evenly taken from all."""
        if most is None or len(self) <= most:
            return self
        places = np.arange(most) * len(self) // most
        return Asked(self.users[places], chosen_items(self.relevant, places), self.new_only)


@dataclass(frozen=True)
class HeldOut:
    """``asked`` by reading, of the rows of ``at``: users with history, first days, the default row.

    ``known``: the events up to the day, with the histories of the first days.
    ``sessions``: rows, and by row what was seen of a begun basket and what was wanted.
    ``repeat_share``: share of what users with history bought that they had bought before.
    ``once_share``: share of users who had bought on one day only.
    """

    at: Day
    known: Events
    asked: Mapping[str, Asked]
    sessions: tuple[SnapshotRows, Ragged, Ragged]
    repeat_share: float
    once_share: float


def readings(later: Events, at: Day, most: int | None = None) -> dict[str, Asked]:
    """Reading to the lists of users with history who bought something relevant in the window."""
    found = {}
    for reading, new_only in READINGS.items():
        wanted = bought_after(later, at, new_only=new_only)
        users = np.flatnonzero(np.diff(wanted.offsets))
        found[reading] = Asked(users, chosen_items(wanted, users), new_only).evenly(most)
    return found


def held_out(events: Events, at: Day, *, most: int, seed: int) -> HeldOut:
    """All that is measured of a day; ``events`` are those that it was made of, and later ones.

    ``most``: lists of a kind, of users with history, of newcomers and of first days.
    """
    generator = np.random.default_rng([seed, at.day])
    history, of_first_days = first_days_cut(events, at, most, generator)
    first = histories(history, EPOCH + timedelta(days=at.day), at.numbers)
    rows = with_default(_joined(at.rows, first))
    strangers, of_strangers = newcomers(events, at, most, generator)
    nobody = np.full(len(strangers), len(rows) - 1)
    asked = {
        reading: Asked(
            np.concatenate([of.users, nobody]), _followed(of.relevant, of_strangers), of.new_only
        )
        for reading, of in readings(events, at, most).items()
    }
    asked[FIRST_DAY] = Asked(len(at.rows) + np.arange(len(first)), of_first_days, True)
    visits = at.rows.values[:, LAYOUT.index("user_visits")]
    return HeldOut(
        replace(at, rows=rows),
        _both(until(events, at.day), history),
        asked,
        begun_baskets(events, at, MOST_SESSIONS, generator),
        repeat_share(at, events),
        float((visits == 1).sum() / max((visits > 0).sum(), 1)),
    )


def deciding_reading(share: float) -> str:
    """The reading by which versions are judged, by the ``repeat_share``: ``all`` or ``new``.

    What a user has bought before fills lists that are to be bought from again. Where films are
    rated or books are bought once, only what is new to a user can be bought at all.
    """
    return "new" if share < RARELY else "all"


def repeat_share(at: Day, later: Events) -> float:
    """Share of what known users bought in the window that they had bought before; 0 for nothing."""
    bought = len(bought_after(later, at).item)
    new = len(bought_after(later, at, new_only=True).item)
    return 1 - new / bought if bought else 0.0


def _joined(one: SnapshotRows, other: SnapshotRows) -> SnapshotRows:
    before, after = record_offsets(one), record_offsets(other)
    return SnapshotRows(
        (np.concatenate([one.keys[0], other.keys[0]]),),
        np.concatenate([one.values, other.values]),
        np.concatenate([one.records, other.records]),
        np.concatenate([before, before[-1] + after[1:]]),
    )


def _followed(one: Ragged, other: Ragged) -> Ragged:
    return Ragged(
        np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]]),
        np.concatenate([one.item, other.item]),
    )


def _both(one: Events, other: Events) -> Events:
    """The events of both, user by user."""
    order = np.argsort(np.concatenate([one.user, other.user]), kind="stable")
    names = ("user", "item", "day", "at", "basket", "weight", "quantity", "price")
    columns: dict[str, Any] = {
        n: np.concatenate([getattr(one, n), getattr(other, n)])[order] for n in names
    }
    return replace(one, **columns)
