"""Lists by implicit's BM25 and ALS, and by EASE: one job after the other, each written to a file.

usage: python -m benchmarks.quality.outside.lists JOBS.json
       with [{"known": past, "asked": questions, "method": name, "out": file}, ...]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.quality.past import Asked, Past, Scores, lists_of, read_past
from benchmarks.stages import peak_mb, reset_peak

SEED = 7
EASE_ITEMS = 4000
"""The best sellers, whose square matrix is inverted."""
EASE_LAMBDA = 200.0


def bm25(past: Past) -> Scores:
    """Neighbours of items, 200 of each, as implicit has them."""
    # What BM25Recommender does, in the form that the base class asks for.
    weights = bm25_weight(past.matrix().astype(np.float32).T, K1=1.2, B=0.75)
    knn: Any = ItemItemRecommender(K=200, num_threads=1)
    knn.fit(weights.T.tocsr(), show_progress=False)
    similar = knn.similarity.tocsr()
    return lambda users, had: np.asarray((had @ similar).toarray())


def als(past: Past) -> Scores:
    """64 factors; a list follows from the items by the regression that ALS itself solves."""
    with threadpool_limits(1, "blas"):
        model: Any = AlternatingLeastSquares(
            factors=64, regularization=0.05, iterations=15, random_state=SEED, num_threads=1
        )
        model.fit(past.matrix().astype(np.float32), show_progress=False)
    items = np.asarray(model.item_factors, np.float64)
    gram = items.T @ items

    def scores(users: Any, had: sparse.csr_matrix) -> Any:
        found = np.zeros((had.shape[0], len(items)))
        for row in range(had.shape[0]):
            of = items[had[row].indices]
            if len(of):
                left = gram + 0.05 * np.eye(gram.shape[0])
                found[row] = items @ np.linalg.solve(left, of.sum(axis=0))
        return found

    return scores


def ease(past: Past) -> Scores:
    """Steck, «Embarrassingly Shallow Autoencoders for Sparse Data», 2019, of the best sellers."""
    kept = np.sort(np.argsort(-past.buyers(past.today), kind="stable")[:EASE_ITEMS])
    matrix = past.matrix()[:, kept]
    gram = np.asarray((matrix.T @ matrix).toarray(), np.float64)
    gram[np.diag_indices(len(gram))] += EASE_LAMBDA
    inverse = np.linalg.inv(gram)
    weight = inverse / -np.diag(inverse)
    weight[np.diag_indices(len(weight))] = 0.0

    def scores(users: Any, had: sparse.csr_matrix) -> Any:
        found = np.full(had.shape, -1e9)
        found[:, kept] = np.asarray(had[:, kept] @ weight)
        return found

    return scores


METHODS: dict[str, Callable[[Past], Scores]] = {"bm25": bm25, "als": als, "ease": ease}


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        past, asked = read_past(Path(job["known"])), read_asked(Path(job["asked"]))
        reset_peak()
        started = time.perf_counter()
        scores, had = METHODS[job["method"]](past), past.matrix()
        found = {name: lists_of(past, of, scores, had) for name, of in asked.items()}
        took = {"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}
        part = Path(f"{job['out']}.part.npz")
        np.savez(part, about=json.dumps(took), **found)
        part.rename(job["out"])
        print(f"{job['method']}: {took['seconds']:.1f} s", flush=True)


def read_asked(file: Path) -> dict[str, Asked]:
    """Questions by name, as ``run_lists`` wrote them."""
    with np.load(file) as kept:
        names = [name.removesuffix(".user") for name in kept.files if name.endswith(".user")]
        return {
            name: Asked(
                kept[f"{name}.user"],
                np.split(kept[f"{name}.session"], kept[f"{name}.cuts"]),
                [],
                bool(kept[f"{name}.new"]),
            )
            for name in names
        }


if __name__ == "__main__":
    main()
