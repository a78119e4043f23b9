"""Why an item stands in a list: the source that ranks it highest, and the item behind it.

A reason explains, it does not rank: only the few candidates that were chosen are asked about.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.candidates import (
    SOURCES,
    Candidates,
    Ragged,
    Votes,
    record_column,
    record_user,
    votes,
)
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.cells import find, firsts, row_numbers
from daybreak.models.recommendations.features.learned import OnTheDay

REASONS = ("again", "together", "similar", "trending", "popular")
"""Bought before; bought in one basket with ...; bought by those who bought ...; bought by many
this week; bought by many."""

_ASKED = (
    # In this order where ranks are equal; the matrix says by which items a source came to it.
    ("repeat", "again", None),
    ("session", "together", "basket"),
    ("basket", "together", "basket"),
    ("bm25", "similar", "bm25"),
    ("ease", "similar", "ease"),
    ("trending_7", "trending", None),
    ("category", "popular", None),
    ("popular", "popular", None),
    ("trending_28", "popular", None),
)


def reasons(  # noqa: PLR0917 - as candidates and assemble take them
    rows: SnapshotRows,
    catalogue: Catalogue,
    learned: OnTheDay,
    found: Candidates,
    chosen: NDArray[np.integer],
    session: Ragged | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """For the candidates ``chosen`` (rows of ``found``): one of ``REASONS``, and an item ordinal.

    The ordinal is of the item of the session, else of the history, with the largest vote for a
    candidate that is 'together' or 'similar'; -1 where the reason names no item.
    """
    user = row_numbers(found.offsets)[chosen]
    item = found.item[chosen].astype(np.int64)
    order = [SOURCES.index(source) for source, _, _ in _ASKED]
    ranks = found.ranks[chosen][:, order]
    ranks = np.where(np.isnan(ranks), np.float32(np.inf), ranks)
    bought = _bought(rows, user, item, len(catalogue))
    ranks[~bought, 0] = np.inf  # 'again' needs a purchase
    if session is not None:
        begun = np.diff(session.offsets)[user] > 0
        ranks[begun & np.isfinite(ranks[:, 1]), 1] = 0.0  # the session explains best
    strongest = np.argmin(ranks, axis=1)
    code = np.array([reason for _, reason, _ in _ASKED], object)[strongest]
    because = np.full(len(chosen), -1, np.int64)
    for place, (source, _, matrix) in enumerate(_ASKED):
        of = np.flatnonzero(strongest == place)
        if matrix is None or not len(of):
            continue
        cast = _session_votes(session) if source == "session" else votes(rows, session)
        because[of] = _loudest(cast, learned.incoming[matrix], user[of], item[of])
    return code, because


def _bought(
    rows: SnapshotRows, user: NDArray[np.int64], item: NDArray[np.int64], items: int
) -> NDArray[np.bool_]:
    had = record_user(rows) * items + record_column(rows, "item").astype(np.int64)
    kept = record_column(rows, "bought") > 0
    return np.isin(user * items + item, had[kept])


def _session_votes(session: Ragged | None) -> Votes:
    assert session is not None  # noqa: S101 - the source names nothing without one
    user = row_numbers(session.offsets)
    order = np.lexsort((session.item, user))
    return Votes(user, session.item[order].astype(np.int64), np.ones(len(user), np.float32))


def _loudest(
    cast: Votes,
    incoming: sparse.csr_matrix,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The item that adds most to each (user, item); among equals the first by ordinal."""
    items = incoming.shape[0]
    rows = incoming[item]
    wanted = np.repeat(user * items, np.diff(rows.indptr))
    wanted += rows.indices
    known, place = find(cast.user * items + cast.item, wanted)
    pair = np.searchsorted(rows.indptr, known, "right") - 1
    loud = rows.data[known] * cast.weight[place].astype(np.float64)
    order = np.lexsort((-loud, pair))  # columns ascend within a pair
    first = order[firsts(pair[order])]
    because = np.full(len(item), -1, np.int64)
    because[pair[first]] = rows.indices[known[first]]
    return because
