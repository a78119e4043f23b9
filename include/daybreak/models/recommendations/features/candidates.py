"""Which items are scored for a user: the union of what several sources name.

Everything here is exact: sparse products add in the order of the history, in float64, products of
two float32 values (which float64 holds without rounding), and are rounded to float32 once. So a
user's candidates have the same bits alone and in a batch, on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daybreak.facts.events import PURCHASE
from daybreak.models.base import Float32, SnapshotRows
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.cells import firsts, offsets_of, row_numbers
from daybreak.models.recommendations.features.histories import RECORD
from daybreak.models.recommendations.features.learned import OnTheDay
from daybreak.models.recommendations.features.topn import Ranked, ranked
from daybreak.models.recommendations.request import MOST_LISTED

SOURCES = (
    "repeat",
    "bm25",
    "basket",
    "ease",
    "session",
    "trending_7",
    "trending_28",
    "popular",
    "category",
)
TAKEN = {
    "repeat": 80,
    "bm25": 70,
    "basket": 60,
    "ease": 70,
    "session": 70,
    "trending_7": 40,
    "trending_28": 50,
    "popular": 50,
    "category": 30,
}
"""How many items each source may name; it scores those that others name as well."""

LEAST = MOST_LISTED
"""Candidates a user has at least, while there are so many eligible items; ``popular`` names more
where the sources together name fewer."""

CELLS = 4_000_000
"""Users x items looked at in one go; what a batch holds at most, whatever the catalogue's size."""


@dataclass(frozen=True)
class Ragged:
    """Item ordinals a user: those of user i are ``item[offsets[i]:offsets[i + 1]]``, int64."""

    offsets: NDArray[np.int64]
    item: NDArray[np.int64]

    def of(self, first: int, end: int) -> Ragged:
        """Those of the users ``first`` to ``end`` (excluded)."""
        start, stop = self.offsets[first], self.offsets[end]
        return Ragged(self.offsets[first : end + 1] - start, self.item[start:stop])


@dataclass(frozen=True)
class Wish:
    """What a request adds to the history. Applied before any source is cut to its best.

    ``session``: items just seen or put in the basket, not recommended themselves. ``excluded``:
    items that one user does not want. ``allowed``: bool (N,), what may be recommended at all.
    ``new_only``: nothing that the user has: bought before, or an event of weight ``has`` or more.
    """

    session: Ragged | None = None
    excluded: Ragged | None = None
    allowed: NDArray[np.bool_] | None = None
    new_only: bool = False
    has: float = PURCHASE

    def is_as(self, usual: Wish) -> bool:
        """Whether it is the default, which names no items."""
        named = (self.session, self.excluded, self.allowed)
        return all(part is None for part in named) and self.new_only == usual.new_only

    def narrows(self) -> bool:
        """Whether any user may be recommended less than all that is on sale."""
        named = (self.session, self.excluded, self.allowed)
        return self.new_only or any(part is not None for part in named)

    def of(self, first: int, end: int) -> Wish:
        """The wishes of the users ``first`` to ``end`` (excluded)."""
        return Wish(
            self.session and self.session.of(first, end),
            self.excluded and self.excluded.of(first, end),
            self.allowed,
            self.new_only,
            self.has,
        )


@dataclass(frozen=True)
class Candidates:
    """Those of user i are rows ``offsets[i]`` to ``offsets[i + 1]``, in order of ordinal.

    ``item``: int32 (c,). ``scores``, ``ranks``: float32 (c, len(SOURCES)); NaN where a source
    does not name the item. Rank 1 is the best.
    """

    offsets: NDArray[np.int64]
    item: NDArray[np.int32]
    scores: Float32
    ranks: Float32

    def __len__(self) -> int:
        return len(self.item)


def candidates(
    rows: SnapshotRows, catalogue: Catalogue, learned: OnTheDay, wish: Wish | None = None
) -> Candidates:
    """The union of all sources for each of the users of ``rows``."""
    wish = wish or Wish()
    step = min(1024, max(1, CELLS // max(len(catalogue), 1)))
    parts = [
        _block(block, catalogue, learned, wish.of(first, first + len(block)))
        for first in range(0, len(rows), step)
        for block in [cut(rows, first, min(first + step, len(rows)))]
    ]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        empty = np.empty((0, len(SOURCES)), np.float32)
        return Candidates(np.zeros(1, np.int64), np.empty(0, np.int32), empty, empty)
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    return Candidates(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.ranks for part in parts]),
    )


def cut(rows: SnapshotRows, first: int, end: int) -> SnapshotRows:
    """The snapshot rows ``first`` to ``end`` (excluded)."""
    offsets = record_offsets(rows)
    start, stop = offsets[first], offsets[end]
    return SnapshotRows(
        tuple(key[first:end] for key in rows.keys),
        rows.values[first:end],
        rows.records[start:stop],
        offsets[first : end + 1] - start,
    )


def record_offsets(rows: SnapshotRows) -> NDArray[np.int64]:
    """Where the records of each user begin, (n + 1,)."""
    assert rows.offsets is not None  # noqa: S101 - this model's rows always have records
    return rows.offsets


def record_user(rows: SnapshotRows) -> NDArray[np.int64]:
    """Row number of the user that each record belongs to, (t,)."""
    return row_numbers(record_offsets(rows))


def record_column(rows: SnapshotRows, name: str) -> Float32:
    """One value of every record, (t,)."""
    return rows.records[:, RECORD.index(name)]


def owned(rows: SnapshotRows, has: float) -> NDArray[np.bool_]:
    """Which records are of an item that the user has, (t,); see ``Wish``."""
    strongest = record_column(rows, "strongest")
    return (record_column(rows, "bought") > 0) | (strongest >= np.float32(has))


@dataclass(frozen=True)
class Votes:
    """Weighted votes for a user: the items of the history and of the session, by user, then item.

    ``user``, ``item``: int64 (v,), each pair once. ``weight``: float32 (v,).
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    weight: Float32


def votes(rows: SnapshotRows, session: Ragged | None) -> Votes:
    """An item of the session weighs as much as one bought today, beside what it weighs anyway."""
    user, item = record_user(rows), record_column(rows, "item").astype(np.int64)
    weight = record_column(rows, "long")
    if session is None or not len(session.item):
        return Votes(user, item, weight)
    user = np.concatenate([user, row_numbers(session.offsets)])
    item = np.concatenate([item, session.item])
    weight = np.concatenate([weight, np.ones(len(session.item), np.float32)])
    order = np.lexsort((item, user))
    user, item, weight = user[order], item[order], weight[order]
    first = np.flatnonzero(firsts(user, item))
    return Votes(user[first], item[first], np.add.reduceat(weight, first))


def _block(rows: SnapshotRows, catalogue: Catalogue, learned: OnTheDay, wish: Wish) -> Candidates:
    users, items = len(rows), len(catalogue)
    offsets, item = record_offsets(rows), record_column(rows, "item").astype(np.int64)
    open_to = _open_to(item, rows, catalogue, wish)

    found: dict[str, Ranked] = {}
    # What is learned and what is listed by category names eligible items only.
    narrowed = open_to if wish.narrows() else None
    found["repeat"] = _kept(np.diff(offsets), item, record_column(rows, "short"), open_to)
    cast = votes(rows, wish.session)
    voted = _matrix(cast.user, cast.item, cast.weight, (users, items))
    for name, matrix in learned.neighbours.items():
        found[name] = _product(voted, matrix, narrowed)
    found["session"] = _session(wish, learned, open_to)
    found["category"] = _by_category(cast, users, catalogue, narrowed)

    named = np.zeros((users, items), np.bool_)
    for name, entries in found.items():
        named.reshape(-1)[entries.best(TAKEN[name]).cells(items)] = True
    spans = {"trending_7": 7, "trending_28": 28, "popular": learned.popular_days}
    everyone = {name: catalogue.popular_in(span) for name, span in spans.items()}
    closed = items - _count(open_to)
    for name, order in everyone.items():
        head = order[: TAKEN[name] + int(closed.max())]
        _name_first(named, open_to, head, np.full(users, TAKEN[name]))
    missing = np.maximum(LEAST - _count(named), 0)
    if len(short := np.flatnonzero(missing)):
        fewer = named[short]
        _name_first(fewer, open_to[short] & ~fewer, everyone["popular"], missing[short])
        named[short] = fewer
    return _union(named, found, spans, catalogue)


def _open_to(
    item: NDArray[np.int64],
    rows: SnapshotRows,
    catalogue: Catalogue,
    wish: Wish,
) -> NDArray[np.bool_]:
    """What may be recommended to whom, (users, items)."""
    everyone = catalogue.eligible if wish.allowed is None else catalogue.eligible & wish.allowed
    open_to = np.repeat(everyone[None], len(rows), axis=0)
    for unwanted in (wish.session, wish.excluded):
        if unwanted is not None:
            open_to[row_numbers(unwanted.offsets), unwanted.item] = False
    if wish.new_only:
        had = owned(rows, wish.has)
        open_to[record_user(rows)[had], item[had]] = False
    return open_to


def _matrix(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    values: NDArray[np.float32],
    shape: tuple[int, int],
) -> sparse.csr_matrix:
    """Rows ascend; the order of columns within a row stays as given: it is the order of adding."""
    return sparse.csr_matrix(
        (values.astype(np.float64), column, offsets_of(row, shape[0])), shape=shape
    )


def _kept(
    counts: NDArray[np.int64],
    column: NDArray[np.integer],
    score: NDArray[np.float32],
    open_to: NDArray[np.bool_] | None,
) -> Ranked:
    """``open_to`` None: all of them are."""
    if open_to is None:
        return ranked(counts, column, score)
    users, items = open_to.shape
    row = np.repeat(np.arange(users), counts)
    kept = open_to.reshape(-1)[row * items + column]
    if kept.all():
        return ranked(counts, column, score)
    return ranked(np.bincount(row[kept], minlength=users), column[kept], score[kept])


def _product(
    left: sparse.csr_matrix, right: sparse.csr_matrix, open_to: NDArray[np.bool_] | None
) -> Ranked:
    product = left @ right
    counts = np.diff(product.indptr).astype(np.int64)
    return _kept(counts, product.indices, product.data.astype(np.float32), open_to)


def _session(wish: Wish, learned: OnTheDay, open_to: NDArray[np.bool_]) -> Ranked:
    """What was in one basket with the items of the session."""
    session = wish.session
    if session is None or not len(session.item):
        nothing = np.zeros(len(open_to), np.int64)
        return ranked(nothing, np.empty(0, np.int64), np.empty(0, np.float32))
    ones = np.ones(len(session.item), np.float32)
    left = _matrix(row_numbers(session.offsets), session.item, ones, open_to.shape)
    return _product(left, learned.neighbours["basket"], open_to)


def _by_category(
    cast: Votes, users: int, catalogue: Catalogue, open_to: NDArray[np.bool_] | None
) -> Ranked:
    """The weight of a category in the votes for a user, times how much of it the item sells."""
    place, category = catalogue.categories_of(cast.item)
    kinds = len(catalogue.category_name)
    weight = cast.weight[place]
    if len(catalogue.further):  # a vote for several categories is divided among them
        weight /= np.bincount(place, minlength=len(cast.item))[place].astype(np.float32)
    liking = _matrix(cast.user[place], category, weight, (users, kinds))
    buyers = catalogue.statistic("item_buyers_90")[catalogue.by_category].astype(np.float64)
    listed = row_numbers(catalogue.category_offsets)
    total = np.bincount(listed, buyers, kinds)
    share = (buyers / np.maximum(total, 1.0)[listed]).astype(np.float32)
    popular = sparse.csr_matrix(
        (share.astype(np.float64), catalogue.by_category, catalogue.category_offsets),
        shape=(kinds, len(catalogue)),
    )
    return _product(liking, popular, open_to)


def _count(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The marks of each row, int64 (n,)."""
    return np.asarray(np.add.reduce(marks.view(np.uint8), axis=1, dtype=np.int64))


def _name_first(
    named: NDArray[np.bool_],
    open_to: NDArray[np.bool_],
    order: NDArray[np.int32],
    count: NDArray[np.int64],
) -> None:
    """Name the first items of a list that are open to each user, ``count`` (n,) of them."""
    allowed = open_to[:, order]
    allowed &= np.cumsum(allowed, axis=1, dtype=np.int32) <= count[:, None]
    row, place = np.nonzero(allowed)
    named[row, order[place]] = True


def _union(
    named: NDArray[np.bool_],
    found: dict[str, Ranked],
    spans: dict[str, int],
    catalogue: Catalogue,
) -> Candidates:
    users, items = named.shape
    cell = np.flatnonzero(named)
    row = cell // items
    item = cell - row * items
    place = np.full(named.size, -1, np.int32)
    place[cell] = np.arange(len(cell), dtype=np.int32)
    scores = np.full((len(cell), len(SOURCES)), np.nan, np.float32)
    ranks = scores.copy()
    for name, entries in found.items():
        where = place[entries.cells(items)]
        hit = np.flatnonzero(where >= 0)
        where, column = where[hit], SOURCES.index(name)
        scores[where, column], rank = entries.at(hit)
        ranks[where, column] = rank + 1
    for name, span in spans.items():
        order = catalogue.popular_in(span)
        rank = np.full(items, np.nan, np.float32)
        rank[order] = np.arange(1, len(order) + 1)
        column = SOURCES.index(name)
        scores[:, column] = catalogue.statistic(f"item_buyers_{span}")[item]
        ranks[:, column] = rank[item]
    return Candidates(offsets_of(row, users), item.astype(np.int32), scores, ranks)
