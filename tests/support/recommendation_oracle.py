"""Candidates of one user by plain loops over dictionaries: slow, and easy to believe."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features import candidates as candidates_module
from daybreak.models.recommendations.features.candidates import TAKEN
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.histories import RECORD
from daybreak.models.recommendations.features.learned import NEIGHBOURS, OnTheDay

Entry = tuple[float, int]
"""Score and rank, from 1."""


def records_of(rows: SnapshotRows, user: int) -> list[dict[str, float]]:
    assert rows.offsets is not None
    mine = rows.records[rows.offsets[user] : rows.offsets[user + 1]]
    return [dict(zip(RECORD, record.tolist(), strict=True)) for record in mine]


def candidates_of(
    rows: SnapshotRows,
    user: int,
    catalogue: Catalogue,
    learned: OnTheDay,
    *,
    session: tuple[int, ...] = (),
    excluded: tuple[int, ...] = (),
    allowed: np.ndarray | None = None,
    new_only: bool = False,
    has: float = 1.0,
) -> dict[int, dict[str, Entry]]:
    """Item -> source -> score and rank, for the union of what the sources name."""
    records = records_of(rows, user)
    owned = {
        int(record["item"])
        for record in records
        if record["bought"] > 0 or record["strongest"] >= np.float32(has)
    }
    open_to = {
        item
        for item in range(len(catalogue))
        if catalogue.eligible[item]
        and (allowed is None or allowed[item])
        and item not in session
        and item not in excluded
        and not (new_only and item in owned)
    }
    weights = {int(record["item"]): record["long"] for record in records}
    for item in session:
        weights[item] = float(np.float32(weights.get(item, 0.0)) + np.float32(1))
    weights = dict(sorted(weights.items()))
    scores: dict[str, dict[int, float]] = {
        "repeat": {int(record["item"]): record["short"] for record in records},
        "session": _product(dict.fromkeys(sorted(session), 1.0), learned.neighbours["basket"]),
        "category": _by_category(weights, catalogue),
    }
    for name in NEIGHBOURS:
        scores[name] = _product(weights, learned.neighbours[name])
    found: dict[str, dict[int, Entry]] = {}
    for name, of in scores.items():
        kept = {item: np.float32(score) for item, score in of.items() if item in open_to}
        order = sorted((-float(score), item) for item, score in kept.items() if score > 0)
        found[name] = {item: (-score, rank) for rank, (score, item) in enumerate(order, 1)}
    named = {
        item for name, of in found.items() for item, (_, rank) in of.items() if rank <= TAKEN[name]
    }
    spans = {"trending_7": 7, "trending_28": 28, "popular": learned.popular_days}
    for name, span in spans.items():
        order = _popular(catalogue, span)
        named |= set([item for item in order if item in open_to][: TAKEN[name]])
        buyers = catalogue.statistic(f"item_buyers_{span}")
        found[name] = {item: (float(buyers[item]), n) for n, item in enumerate(order, 1)}
    more = [
        item
        for item in _popular(catalogue, spans["popular"])
        if item in open_to and item not in named
    ]
    named |= set(more[: max(candidates_module.LEAST - len(named), 0)])
    return {
        item: {name: of[item] for name, of in found.items() if item in of} for item in sorted(named)
    }


def _popular(catalogue: Catalogue, span: int) -> list[int]:
    spans = [longer for longer in (3, 7, 14, 28, 90) if longer >= span]
    buyers = [catalogue.statistic(f"item_buyers_{longer}").tolist() for longer in spans]
    eligible = np.flatnonzero(catalogue.eligible).tolist()
    return sorted(eligible, key=lambda i: (*(-of[i] for of in buyers), i))


def _product(weights: dict[int, float], matrix: sparse.csr_matrix) -> dict[int, float]:
    total: dict[int, float] = {}
    dense = matrix.toarray()
    for item, weight in weights.items():
        for other in np.flatnonzero(dense[item]).tolist():
            total[other] = total.get(other, 0.0) + weight * dense[item, other]
    return total


def _by_category(weights: dict[int, float], catalogue: Catalogue) -> dict[int, float]:
    buyers = catalogue.statistic("item_buyers_90").astype(np.float64)
    total: dict[int, float] = {}
    for kind in range(len(catalogue.category_name)):
        liked = [weight for item, weight in weights.items() if catalogue.category[item] == kind]
        mine = [
            item
            for item in np.flatnonzero(catalogue.eligible).tolist()
            if catalogue.category[item] == kind
        ]
        whole = max(sum(buyers[mine]), 1.0)
        for item in mine:
            share = float(np.float32(buyers[item] / whole))
            for weight in liked:
                total[item] = total.get(item, 0.0) + weight * share
    return total
