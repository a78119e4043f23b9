"""Learn which items go with which, by implicit's recommenders, from events up to a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from daybreak.facts.events import UNKNOWN_USER, Events
from daybreak.models.recommendations.features.cells import Cells, cells, firsts, sums
from daybreak.models.recommendations.features.histories import decay
from daybreak.models.recommendations.features.learned import LEARNED_STATISTICS, Learned
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

AT_ONCE = 512
"""Items whose kernel is dense at one time."""


@dataclass(frozen=True)
class Kernels:
    """How the item-item matrices are learned. All of it goes into the manifest."""

    neighbours: int = 100
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    factors: int = 64
    regularization: float = 0.05
    alpha: float = 1.0
    iterations: int = 12


def learn(
    events: Events, kernels: Kernels, numbers: Numbers = DEFAULT, *, seed: int, threads: int
) -> Learned:
    """All kernels and statistics of ``events``. Deterministic under the seed."""
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
        factors = _factors(tastes, kernels, seed, threads)
    return Learned(
        events.item_ids,
        {
            "bm25": _strongest(bm25.similarity, kernels.neighbours),
            "basket": _strongest(basket.similarity, kernels.neighbours),
            "factors": factors,
        },
        _statistics(past, items),
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


def _factors(
    tastes: sparse.csr_matrix, kernels: Kernels, seed: int, threads: int
) -> sparse.csr_matrix:
    """The item-item kernel of implicit's ALS: what one item in a history predicts of the others."""
    model: Any = AlternatingLeastSquares(
        factors=min(kernels.factors, max(1, min(tastes.shape) - 1)),
        regularization=kernels.regularization,
        alpha=kernels.alpha,
        iterations=kernels.iterations,
        random_state=seed,
        num_threads=threads,
    )
    model.fit(tastes, show_progress=False)
    factors = np.asarray(model.item_factors, np.float64)
    gram = factors.T @ factors
    inverse = np.linalg.inv(gram + kernels.regularization * np.eye(len(gram)))
    ahead = factors @ inverse
    blocks = [
        _block_strongest(ahead[n : n + AT_ONCE] @ factors.T, n, kernels.neighbours)
        for n in range(0, len(factors), AT_ONCE)
    ]
    return _strongest(sparse.vstack(blocks, format="csr"), kernels.neighbours)


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


def _block_strongest(kernel: NDArray[np.float64], first: int, count: int) -> sparse.csr_matrix:
    """At least the ``count`` largest of each dense row; ``first`` is the number of the first."""
    kernel = kernel.astype(np.float32)
    row = np.arange(len(kernel))
    kernel[row, first + row] = 0.0
    if kernel.shape[1] > count:
        least = np.partition(kernel, -count, axis=1)[:, -count]
        kernel[kernel < np.maximum(least, 0.0)[:, None]] = 0.0
    return sparse.csr_matrix(np.maximum(kernel, 0.0))


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
