"""Learn which items go with which from events up to a day, by implicit's BM25 and by EASE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from daybreak.facts.events import UNKNOWN_USER, Events
from daybreak.models.base import Float32
from daybreak.models.recommendations.features.cells import Cells, cells, firsts, sums
from daybreak.models.recommendations.features.histories import decay
from daybreak.models.recommendations.features.learned import LEARNED_STATISTICS, Learned
from daybreak.models.recommendations.learn.ease import ease, most_active
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

AT_ONCE = 512
"""Items whose neighbours are looked for at one time."""


@dataclass(frozen=True)
class Kernels:
    """How the item-item matrices are learned. All of it goes into the manifest.

    ``ease_items``: the most active items have weights by EASE, for its matrices are dense: 4,000
    take 64 MB each, and the inverse some 2 s of a core. BM25 and baskets know the others too.
    ``ease_penalty``: counted in users, or baskets, who have an item.
    """

    neighbours: int = 100
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    ease_items: int = 4000
    ease_penalty: float = 100.0


def learn(events: Events, kernels: Kernels, numbers: Numbers = DEFAULT, *, threads: int) -> Learned:
    """All kernels and statistics of ``events``. The same events, the same bits."""
    items = len(events.item_ids)
    past = cells(events)
    today = int(events.day.max(initial=0))
    tastes = user_items(past, len(events.user_ids), items, today, numbers.taste_half_life)
    # One BLAS thread: implicit runs its own threads, and sums then do not depend on their number.
    with threadpool_limits(1, "blas"):
        # What BM25Recommender and CosineRecommender do, in the form that the base class asks for:
        # theirs makes it warn about each conversion.
        bm25, basket = (
            ItemItemRecommender(K=kernels.neighbours + 1, num_threads=threads) for _ in range(2)
        )
        weights = bm25_weight(tastes.T, kernels.bm25_k1, kernels.bm25_b)
        bm25.fit(weights.T.tocsr(), show_progress=False)
        baskets = _baskets(events, today, numbers.basket_half_life)
        basket.fit(normalize(baskets.T).T.tocsr(), show_progress=False)
        by_users = _of_active(tastes.minimum(_ones(tastes)), kernels)[0]
        by_baskets, active = _of_active(baskets, kernels)
    rare = sparse.diags(~np.isin(np.arange(items), active), dtype=np.float32)
    return Learned(
        events.item_ids,
        {
            "bm25": _strongest(bm25.similarity, kernels.neighbours),
            "basket": _strongest(by_baskets + rare @ basket.similarity, kernels.neighbours),
            "ease": _strongest(by_users, kernels.neighbours),
        },
        _statistics(past, items),
    )


def _ones(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix(
        (np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def user_items(
    past: Cells, users: int, items: int, today: int, half_life: float
) -> sparse.csr_matrix:
    """Weight of each user's events of an item by now, float32 CSR (users, items).

    Old purchases weigh less: what is bought with what changes with the season, and on Online
    Retail implicit's BM25 and ALS find a third more of the new items with it.
    """
    starts = firsts(past.user, past.item)
    group, size = np.cumsum(starts) - 1, int(starts.sum())
    weight = sums(group, past.weight * decay(today - past.day, half_life), size)
    found = sparse.csr_matrix(
        (weight.astype(np.float32), (past.user[starts], past.item[starts])), shape=(users, items)
    )
    found.eliminate_zeros()
    return found


def _baskets(events: Events, today: int, half_life: float) -> sparse.csr_matrix:
    """Baskets x items. Where no basket is known, what a user did on a day is one."""
    identified = (events.basket != 0) | (events.user != UNKNOWN_USER)
    # Weights enter the cosine by their square; a half-life asks for its root.
    strength = events.weight * np.sqrt(decay(today - events.day, half_life))
    rows = np.flatnonzero(identified & (strength > 0))
    user = np.where(events.basket[rows] != 0, -2, events.user[rows]).astype(np.int64)
    basket = np.where(events.basket[rows] != 0, events.basket[rows], events.day[rows])
    item = events.item[rows].astype(np.int64)
    order = np.lexsort((-events.weight[rows], item, basket, user))
    rows, user, basket, item = rows[order], user[order], basket[order], item[order]
    number = np.cumsum(firsts(user, basket)) - 1
    once = firsts(number, item)
    size = int(number[-1]) + 1 if len(number) else 0
    return sparse.csr_matrix(
        (strength[rows][once].astype(np.float32), (number[once], item[once])),
        shape=(size, len(events.item_ids)),
    )


def _of_active(
    rows: sparse.csr_matrix, kernels: Kernels
) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """The strongest weights by EASE among the most active items, (N, N), and which those are."""
    items = rows.shape[1]
    active = most_active(rows, kernels.ease_items)
    weights = ease(rows[:, active].tocsr(), kernels.ease_penalty)
    blocks = [
        _block_strongest(weights[n : n + AT_ONCE], kernels.neighbours)
        for n in range(0, len(weights), AT_ONCE)
    ]
    if not blocks:
        return sparse.csr_matrix((items, items), dtype=np.float32), active
    found = sparse.vstack(blocks, format="coo")
    return sparse.csr_matrix(
        (found.data, (active[found.row], active[found.col])), shape=(items, items)
    ), active


def _strongest(similarity: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """The neighbours of each item without itself, float32, columns ascending."""
    matrix = sparse.coo_matrix(similarity)
    kept = (matrix.row != matrix.col) & (matrix.data > 0)
    row, column, data = matrix.row[kept], matrix.col[kept], matrix.data[kept].astype(np.float32)
    order = np.lexsort((column, -data, row))
    row, column, data = row[order], column[order], data[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < count
    found = sparse.csr_matrix((data[kept], (row[kept], column[kept])), shape=similarity.shape)
    found.sort_indices()
    return found


def _block_strongest(block: Float32, count: int) -> sparse.csr_matrix:
    """At least the ``count`` largest of each dense row, those above 0."""
    least = np.zeros(len(block), np.float32)
    if block.shape[1] > count:
        least = np.partition(block, -count, axis=1)[:, -count]
    return sparse.csr_matrix(np.where(block >= np.maximum(least, 0.0)[:, None], block, 0.0))


def _statistics(past: Cells, items: int) -> NDArray[np.float32]:
    """How often buyers of an item bought it again, and how many there were."""
    bought = past.bought
    user, item = past.user[bought], past.item[bought]
    times = np.bincount(item, minlength=items).astype(np.float64)
    users = np.bincount(item[firsts(user, item)], minlength=items).astype(np.float64)
    # A prior of 10 buyers at the shop's mean, as one purchase says little.
    mean = times.sum() / max(users.sum(), 1.0)
    columns = {"item_rebought": (times + 10 * mean) / (users + 10) - 1, "item_users": users}
    return np.column_stack([columns[name] for name in LEARNED_STATISTICS]).astype(np.float32)
