"""What the ranker learns from: candidates of past days, marked by what was bought afterwards.

One ranker learns all kinds of lists, so that one booster can make them: all candidates, only items
new to the user, what else goes into a basket that was begun, and the lists of those who come for
the first time: the default list, and that of a user with a history of one day (`first_days.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.models.base import Float32, SnapshotRows
from daybreak.models.recommendations.features.assemble import FEATURES, assemble
from daybreak.models.recommendations.features.candidates import (
    Candidates,
    Ragged,
    Wish,
    candidates,
    cut,
)
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.learn.day import Day, bought_after, chosen, chosen_items
from daybreak.models.recommendations.learn.first_days import first_days, newcomers
from daybreak.models.recommendations.learn.sessions import begun_baskets

USERS_AT_ONCE = 500


@dataclass(frozen=True)
class Examples:
    """``m`` candidates in ``g`` groups, one a list. ``features`` float32 (m, F).

    ``bought``: float32 (m,), 1 where the item was bought in the window. ``sizes``: int64 (g,).
    ``returning``: how many of the lists are not of users who came for the first time.
    """

    features: Float32
    bought: Float32
    sizes: NDArray[np.int64]
    returning: int = 0

    def __len__(self) -> int:
        return len(self.bought)


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
    not bought, drawn for each list. ``sessions``: baskets. Of users who came for the first time
    there are at most as many of each kind as of those who came back, or as of baskets.
    """
    parts: list[Examples] = []
    most = sessions
    for new_only in (False, True):
        relevant = bought_after(events, at, new_only=new_only)
        buyers = np.flatnonzero(np.diff(relevant.offsets))
        buyers = np.sort(generator.permutation(buyers)[:users])
        most = max(most, len(buyers))
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
    returning = sum(len(part.sizes) for part in parts)
    for drawn in (newcomers, first_days):
        rows, wanted = drawn(events, at, most, generator)
        wish = Wish(new_only=True)
        parts += _lists(at, rows, wanted, wish, negatives=negatives, generator=generator)
    return replace(joined(parts), returning=returning)


def joined(parts: Sequence[Examples]) -> Examples:
    """All lists of ``parts``, in order."""
    if not parts:
        empty = np.empty((0, len(FEATURES)), np.float32)
        return Examples(empty, np.empty(0, np.float32), np.empty(0, np.int64))
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.bought for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        sum(part.returning for part in parts),
    )


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
