"""Lists that need no ranker. A model has to beat each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from daybreak.facts.events import Events
from daybreak.facts.names import place_of
from daybreak.models.recommendations.features.cells import cells, until
from daybreak.models.recommendations.features.histories import decay
from daybreak.models.recommendations.learn.day import Day

BASELINES = ("repeat", "bm25", "als", "popularity", "repeat_last")
"""Bought before, halved every 90 days; implicit's BM25 and ALS; most buyers in the days
that the version learned; bought before, the last first. Each recommends items on sale only, as the
model does."""

Lister = Callable[[NDArray[np.int64], bool], NDArray[np.int64]]
"""(users as row numbers (n,), only items new to them) -> items (n, LENGTH), the best first, -1
past the end of a shorter list, which is one of all that is on sale."""

LENGTH = 20
"""Items in a list that is measured."""

HALF_LIFE, TASTE_HALF_LIFE = 90.0, 60.0
BM25 = {"K": 200, "K1": 1.2, "B": 0.75}
ALS = {"factors": 64, "regularization": 0.05, "alpha": 1.0, "iterations": 15}
"""The best of those tried on Online Retail, on the very weeks of the backtest. Old purchases count
less in the matrix that BM25 and ALS learn from: without that both find a fifth less."""


def baselines(known: Events, at: Day, *, seed: int, threads: int) -> dict[str, Lister]:
    """Each of ``BASELINES``, learned from the events up to the day."""
    past = cells(until(known, at.day))
    bought = past.bought
    row, _ = place_of(known.user_ids, at.rows.keys[0])
    user, item, age = row[past.user[bought]], past.item[bought], at.day - past.day[bought]
    shape = (len(at.rows), len(at.catalogue))

    def matrix(weight: NDArray[np.float64]) -> sparse.csr_matrix:
        return sparse.csr_matrix((weight.astype(np.float32), (user, item)), shape=shape)

    once = matrix(np.ones(len(item)))
    decayed = matrix(decay(age, HALF_LIFE))
    tastes = matrix(decay(age, TASTE_HALF_LIFE))
    # Halved every day, the newest purchase outweighs all before it; the next ones break ties.
    recent = matrix(decay(age, 1.0))
    with threadpool_limits(1, "blas"):
        knn = ItemItemRecommender(K=int(BM25["K"]), num_threads=threads)
        weights = bm25_weight(tastes.T, BM25["K1"], BM25["B"])
        knn.fit(weights.T.tocsr(), show_progress=False)
        options: dict[str, Any] = {**ALS, "random_state": seed, "num_threads": threads}
        als: Any = AlternatingLeastSquares(**options)
        als.fit(tastes, show_progress=False)
    of_users, of_items = (
        np.asarray(factors, np.float64) for factors in (als.user_factors, als.item_factors)
    )

    def liked(users: NDArray[np.int64]) -> NDArray[np.float64]:
        # Threads of BLAS split the sums where they please, and a tie would fall another way.
        with threadpool_limits(1, "blas"):
            product: NDArray[np.float64] = of_users[users] @ of_items.T
        return product

    scores: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
        "repeat": lambda users: decayed[users].toarray(),
        "bm25": lambda users: (tastes[users] @ knn.similarity).toarray(),
        "als": liked,
        "popularity": lambda users: np.zeros((len(users), len(at.catalogue))),
        "repeat_last": lambda users: recent[users].toarray(),
    }
    return {name: _lister(at, once, of) for name, of in scores.items()}


def _lister(
    at: Day,
    once: sparse.csr_matrix,
    scores: Callable[[NDArray[np.int64]], NDArray[np.float64]],
) -> Lister:
    # Columns in order of sales, so that a stable sort leaves equal scores in it.
    by_sales = at.catalogue.popular_in(at.learned.popular_days).astype(np.int64)

    def lists(users: NDArray[np.int64], new_only: bool) -> NDArray[np.int64]:
        of = scores(users)[:, by_sales]
        if new_only:
            of = np.where(once[users].toarray()[:, by_sales] > 0, -np.inf, of)
        best = np.argsort(-of, axis=1, kind="stable")[:, :LENGTH]
        is_open = np.take_along_axis(of, best, axis=1) > -np.inf
        named = np.where(is_open, by_sales[best], -1)
        short = LENGTH - named.shape[1]  # where fewer items are on sale than a list has
        return np.pad(named, ((0, 0), (0, short)), constant_values=-1)

    return lists
