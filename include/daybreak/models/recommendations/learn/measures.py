"""How good lists are: binary relevance, each measure a mean over users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.features.cells import row_numbers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lists:
    """``items``: int64 (n, K), the best first, -1 past the end of a shorter list.

    ``hits``: bool (n, K), whether the item was relevant. ``relevant``: int64 (n,), how many
    items were; 1 or more.
    """

    items: NDArray[np.int64]
    hits: NDArray[np.bool_]
    relevant: NDArray[np.int64]


def compare(items: NDArray[np.int64], relevant: Ragged) -> Lists:
    """Lists (n, K) beside what was relevant for each user, one item or more."""
    stride = 2 + max(int(items.max(initial=0)), int(relevant.item.max(initial=0)))
    wanted = row_numbers(relevant.offsets) * stride + relevant.item
    hits = np.isin(np.arange(len(items))[:, None] * stride + items, wanted) & (items >= 0)
    return Lists(items, hits, np.diff(relevant.offsets))


def ndcg(lists: Lists, k: int) -> Floats:
    """Discounted gain of the first k beside the best possible one, (n,)."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    hits = lists.hits[:, :k]
    best = np.cumsum(discount)[np.minimum(lists.relevant, k) - 1]
    gained = (hits * discount[: hits.shape[1]]).sum(axis=1)
    return np.asarray(gained / best)


def recall(lists: Lists, k: int) -> Floats:
    """Share of the relevant items that are among the first k, (n,)."""
    return np.asarray(lists.hits[:, :k].sum(axis=1) / lists.relevant)


def average_precision(lists: Lists, k: int) -> Floats:
    """Precision at each hit among the first k, summed, beside the most hits possible, (n,)."""
    hits = lists.hits[:, :k]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / np.minimum(lists.relevant, k))


def hit_rate(lists: Lists, k: int) -> Floats:
    """1 where any of the first k is relevant, (n,)."""
    return np.asarray(lists.hits[:, :k].any(axis=1), np.float64)


def coverage(lists: Lists, k: int, eligible: int) -> float:
    """Share of the ``eligible`` items that stand in any list's first k."""
    shown = np.unique(lists.items[:, :k])
    return float((shown >= 0).sum() / max(eligible, 1))


def novelty(lists: Lists, k: int, buyers: Floats, users: int) -> Floats:
    """Mean self-information of the first k in bits, (n,): -log2 of the share who bought the item.

    ``buyers`` (N,): how many of ``users`` bought each; nobody counts as half a buyer.
    """
    shown = lists.items[:, :k]
    share = np.clip(np.maximum(buyers, 0.5) / max(users, 1), None, 1.0)
    bits = np.where(shown >= 0, -np.log2(share)[shown], 0.0)
    return np.asarray(bits.sum(axis=1) / np.maximum((shown >= 0).sum(axis=1), 1))
