"""The features of each candidate. One function for batch, single requests and training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daybreak.models.base import Float32, SnapshotRows
from daybreak.models.recommendations.features.candidates import (
    SOURCES,
    Candidates,
    Ragged,
    Votes,
    record_column,
    record_user,
    votes,
)
from daybreak.models.recommendations.features.catalogue import ITEM_STATISTICS, Catalogue
from daybreak.models.recommendations.features.cells import find, offsets_of, row_numbers
from daybreak.models.recommendations.features.histories import LAYOUT, RECORD
from daybreak.models.recommendations.features.learned import LEARNED_STATISTICS, OnTheDay

PERSONAL = tuple(name for name in SOURCES if name not in {"trending_7", "trending_28", "popular"})
_OF_RECORD = tuple(name for name in RECORD if name not in {"item", "strongest"})
_COLUMNS = [RECORD.index(name) for name in _OF_RECORD]
FEATURES = (
    *(f"score_{name}" for name in SOURCES),
    *(f"rank_{name}" for name in SOURCES),
    *(f"share_{name}" for name in PERSONAL),  # score beside the user's best of the source
    *(f"pair_{name}" for name in _OF_RECORD),
    "pair_gap",  # mean days between purchases of the item by the user
    "pair_due",  # days since the last one, beside that mean
    *LAYOUT,
    *ITEM_STATISTICS,
    *LEARNED_STATISTICS,
    "price_ratio",  # the item's price beside what the user usually pays
    "category_share",  # of the history and the session, by weight
    "session_items",
    "session_best",  # the strongest bond with one item of the session
)


def assemble(
    rows: SnapshotRows,
    catalogue: Catalogue,
    learned: OnTheDay,
    found: Candidates,
    session: Ragged | None = None,
) -> Float32:
    """Float32 (c, len(FEATURES)), NaN where a value is unknown. Each row by its own user only."""
    user = row_numbers(found.offsets)
    item = found.item.astype(np.int64)
    pair = _pairs(rows, len(catalogue), user, item)
    price = catalogue.statistic("item_price")[item]
    usual = rows.values[user, LAYOUT.index("user_price")]
    bought, last, first = (pair[:, _OF_RECORD.index(name)] for name in ("bought", "last", "first"))
    features = np.empty((len(found), len(FEATURES)), np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(bought > 1, (first - last) / (bought - 1), np.float32(np.nan))
        columns = [
            found.scores,
            found.ranks,
            _shares(found, user),
            pair,
            gap[:, None],
            np.where(gap > 0, last / gap, np.float32(np.nan))[:, None],
            rows.values[user],
            catalogue.statistics[item],
            learned.statistics[item],
            np.where(usual > 0, price / usual, np.float32(np.nan))[:, None],
            _category_share(votes(rows, session), len(rows), catalogue, user, item)[:, None],
            _session(session, learned, user, item),
        ]
    np.concatenate(columns, axis=1, out=features)
    return features


def _pairs(
    rows: SnapshotRows, items: int, user: NDArray[np.int64], item: NDArray[np.int64]
) -> Float32:
    """The record of each (user, candidate) as features have it, NaN where there is none."""
    key = record_user(rows) * items + record_column(rows, "item").astype(np.int64)
    wanted = user * items + item
    found = np.full((len(wanted), len(_OF_RECORD)), np.nan, np.float32)
    known, place = find(key, wanted)  # records are in item order
    found[known] = rows.records[place][:, _COLUMNS]
    return found


def _shares(found: Candidates, user: NDArray[np.int64]) -> Float32:
    columns = [SOURCES.index(name) for name in PERSONAL]
    scores = found.scores[:, columns]
    filled = np.where(np.isnan(scores), np.float32(0), scores)
    best = np.zeros((len(found.offsets) - 1, len(columns)), np.float32)
    has = np.diff(found.offsets) > 0
    if has.any():
        best[has] = np.maximum.reduceat(filled, found.offsets[:-1][has], axis=0)
    return scores / best[user]


def _category_share(
    cast: Votes,
    users: int,
    catalogue: Catalogue,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
) -> Float32:
    """Share of the user's votes that is in the item's category; of several, on average."""
    vote, of_vote = catalogue.categories_of(cast.item)
    weight = cast.weight.astype(np.float64)
    kinds = len(catalogue.category_name)
    by_kind = np.bincount(cast.user[vote] * kinds + of_vote, weight[vote], users * kinds)
    total = np.bincount(cast.user, weight, users)[user]
    place, category = catalogue.categories_of(item)
    known = total[place] > 0
    place, category = place[known], category[known]
    shares = by_kind[user[place] * kinds + category] / total[place]
    count = np.bincount(place, minlength=len(item))
    share = np.full(len(item), np.nan, np.float32)
    known = count > 0
    share[known] = np.bincount(place, shares, len(item))[known] / count[known]
    return share


def _session(
    session: Ragged | None, learned: OnTheDay, user: NDArray[np.int64], item: NDArray[np.int64]
) -> Float32:
    """How many items the session has, and the strongest bond of the candidate with one of them."""
    found = np.full((len(item), 2), np.nan, np.float32)
    if session is None or not len(session.item):
        return found
    size = np.diff(session.offsets)
    found[size[user] > 0, 0] = size[user][size[user] > 0]
    bonds = strongest_bond(session, learned.neighbours["basket"])
    users, items = bonds.shape
    row = np.repeat(np.arange(users), np.diff(bonds.indptr))
    key, wanted = row * items + bonds.indices, user * items + item
    if len(key):
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        known = key[place] == wanted
        found[known, 1] = bonds.data[place[known]]
    return found


def strongest_bond(session: Ragged, neighbours: sparse.csr_matrix) -> sparse.csr_matrix:
    """For each user and item the largest value over the session's items, float32, sorted."""
    items = neighbours.shape[1]
    rows = neighbours[session.item]
    user = np.repeat(row_numbers(session.offsets), np.diff(rows.indptr))
    order = np.lexsort((-rows.data, rows.indices, user))
    user, column = user[order], rows.indices[order].astype(np.int64)
    value = rows.data[order].astype(np.float32)
    key = user * items + column
    first = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.empty(0, np.bool_)
    users = len(session.offsets) - 1
    return sparse.csr_matrix(
        (value[first], column[first], offsets_of(user[first], users)), shape=(users, items)
    )
