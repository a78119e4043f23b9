"""Lists as of a day beside what was bought in the week that followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.ledger.verdicts import BASELINE
from daybreak.models.base import Float32
from daybreak.models.recommendations.features.assemble import assemble
from daybreak.models.recommendations.features.candidates import Wish, candidates, cut
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.features.learned import LEARNED_STATISTICS
from daybreak.models.recommendations.formulas import POPULAR, margins_of, scores_of
from daybreak.models.recommendations.learn.baselines import LENGTH, Lister
from daybreak.models.recommendations.learn.day import Day, chosen, chosen_items
from daybreak.models.recommendations.learn.examples import USERS_AT_ONCE, marks
from daybreak.models.recommendations.learn.held_out import Asked, HeldOut, readings
from daybreak.models.recommendations.learn.measures import (
    average_precision,
    compare,
    coverage,
    hit_rate,
    ndcg,
    novelty,
    recall,
)
from daybreak.models.recommendations.lists import best, square
from daybreak.registry.artifact import Artifact
from daybreak.registry.booster import open_booster

MEASURES = ("ndcg@10", "recall@20", "map@12", "hit_rate@20", "coverage", "novelty")
Values = dict[str, NDArray[np.float64]]
"""Measure -> one number a user, (n,); coverage is one number of the day, (1,)."""


Margins = Callable[[Float32], Float32]
"""Features (m, F) to margins (m, 1), or (m, 0)."""


def margins_by(version: Artifact) -> Margins:
    """What a version says of features, with trees or without, where it has no margins."""
    if version.engine == "none":
        return lambda features: np.empty((len(features), 0), np.float32)
    return trees(open_booster(version))


def trees(booster: xgb.Booster) -> Margins:
    """What a booster says of features."""
    return lambda features: np.asarray(
        booster.inplace_predict(features, predict_type="margin")
    ).reshape(-1, 1)


def model_lister(
    margins: Margins, at: Day, manifest: Mapping[str, Any] = MappingProxyType({})
) -> Lister:
    """The lists of a version's margins, by the code that batch and single requests use."""

    def lists(users: NDArray[np.int64], new_only: bool) -> NDArray[np.int64]:
        rows = chosen(at.rows, users)
        found = candidates(rows, at.catalogue, at.learned, Wish(new_only=new_only))
        features = assemble(rows, at.catalogue, at.learned, found)
        scores = scores_of(margins(features), features, found.offsets, manifest)
        return square(found, best(found, scores, LENGTH), LENGTH)

    return lists


def evaluate(
    at: Day, asked: Mapping[str, Asked], listers: Mapping[str, Lister]
) -> dict[str, dict[str, Values]]:
    """Reading -> lister -> measures, over the lists of ``asked``."""
    return {
        reading: {name: _measure(at, of, lists) for name, lists in listers.items()}
        for reading, of in asked.items()
    }


def with_sessions(
    week: HeldOut, margins: Margins, manifest: Mapping[str, Any]
) -> dict[str, Values]:
    """NDCG@10 of lists for begun baskets: those of a version (``model``) and what is popular."""
    at, (rows, begun, wanted) = week.at, week.sessions
    found: dict[str, list[NDArray[np.float64]]] = {
        name: [np.empty(0)] for name in ("model", POPULAR)
    }
    for first in range(0, len(rows), USERS_AT_ONCE):
        end = min(first + USERS_AT_ONCE, len(rows))
        block, session = cut(rows, first, end), begun.of(first, end)
        named = candidates(block, at.catalogue, at.learned, Wish(session=session))
        features = assemble(block, at.catalogue, at.learned, named, session)
        scores = {
            "model": scores_of(margins(features), features, named.offsets, manifest),
            POPULAR: margins_of(features, {BASELINE: POPULAR})[:, 0],
        }
        for name, of in scores.items():
            items = square(named, best(named, of, LENGTH), LENGTH)
            found[name].append(ndcg(compare(items, wanted.of(first, end)), 10))
    return {name: {MEASURES[0]: np.concatenate(of)} for name, of in found.items()}


def ceiling(at: Day, later: Events) -> dict[str, NDArray[np.float64]]:
    """Reading -> share of each user's relevant items that are candidates: the best recall."""
    found = {}
    for reading, asked in readings(later, at).items():
        shares = []
        for part in _batches(np.arange(len(asked))):
            relevant = chosen_items(asked.relevant, part)
            rows = chosen(at.rows, asked.users[part])
            named = candidates(rows, at.catalogue, at.learned, Wish(new_only=asked.new_only))
            user = row_numbers(named.offsets)[marks(named, relevant)]
            shares.append(np.bincount(user, minlength=len(part)) / np.diff(relevant.offsets))
        found[reading] = np.concatenate([np.empty(0), *shares])
    return found


def pooled(parts: Iterable[Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
    """The mean of each measure over the users of all parts; 0 where there are none."""
    values = list(parts)
    whole = {name: np.concatenate([part[name] for part in values]) for name in MEASURES}
    return {name: float(of.mean()) if len(of) else 0.0 for name, of in whole.items()}


def differences(of: Mapping[str, Values], measure: str = MEASURES[0]) -> dict[str, Any]:
    """The lists of ``model`` beside each other's, on the same users: lister -> JSON.

    ``difference``: mean of ours less theirs. ``standard_error``: of that mean, from the users'
    differences; None for fewer than two users.
    """
    found = {}
    for name, values in of.items():
        if name != "model":
            gaps = of["model"][measure] - values[measure]
            spread_of_mean = gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else None
            found[name] = {
                "difference": float(gaps.mean()) if len(gaps) else 0.0,
                "standard_error": None if spread_of_mean is None else float(spread_of_mean),
            }
    return found


def _measure(at: Day, asked: Asked, lister: Lister) -> Values:
    parts = (lister(part, asked.new_only) for part in _batches(asked.users))
    items = np.concatenate([np.empty((0, LENGTH), np.int64), *parts])
    lists = compare(items, asked.relevant)
    eligible = int(at.catalogue.eligible.sum())
    buyers = at.learned.statistics[:, LEARNED_STATISTICS.index("item_users")]
    measures: dict[str, Any] = {
        "ndcg@10": ndcg(lists, 10),
        "recall@20": recall(lists, 20),
        "map@12": average_precision(lists, 12),
        "hit_rate@20": hit_rate(lists, 20),
        "coverage": np.array([coverage(lists, LENGTH, eligible)]),
        "novelty": novelty(lists, LENGTH, np.nan_to_num(buyers).astype(np.float64), len(at.rows)),
    }
    return measures


def _batches(users: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    return (users[n : n + USERS_AT_ONCE] for n in range(0, len(users), USERS_AT_ONCE))
