"""How well an order of transactions finds frauds. Each is defined for equal scores, too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def auc(scores: NDArray[Any], fraud: Mask) -> float:
    """The chance that a fraud has a higher score than another transaction; half where equal.

    The area under the ROC curve by ranks: Hanley and McNeil (1982), Radiology 143, 29-36. NaN
    where there is no fraud, or nothing else.
    """
    frauds, others = int(fraud.sum()), int((~fraud).sum())
    if not frauds or not others:
        return float("nan")
    ranks = rankdata(scores)[fraud].sum()
    return float((ranks - frauds * (frauds + 1) / 2) / (frauds * others))


def average_precision(scores: NDArray[Any], fraud: Mask) -> float:
    """Precision at each score that occurs, weighted by the recall that it adds.

    NaN where there is no fraud.
    """
    if not fraud.any():
        return float("nan")
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    found = np.cumsum(fraud[order])
    last = np.append(np.flatnonzero(np.diff(np.asarray(scores)[order])), len(order) - 1)
    precision = found[last] / (last + 1)
    recall = found[last] / found[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def card_precision(
    scores: NDArray[Any], fraud: Mask, card: NDArray[Any], day: NDArray[Any], most: int = 100
) -> float:
    """Of the ``most`` cards of a day with the highest scores, those that had a fraud that day.

    The mean over days, a card's score being that of its highest transaction; of days with fewer
    cards, all of them. Le Borgne, Siblini, Lebichot and Bontempi (2022), Reproducible Machine
    Learning for Credit Card Fraud Detection, chapter 4.
    """
    found = []
    for one in np.unique(day):
        rows = np.flatnonzero(day == one)
        cards, place = np.unique(card[rows], return_inverse=True)
        best = np.full(len(cards), -np.inf)
        np.maximum.at(best, place, np.asarray(scores, np.float64)[rows])
        hit = np.zeros(len(cards), bool)
        np.logical_or.at(hit, place, fraud[rows])
        top = np.argsort(-best, kind="stable")[:most]
        found.append(hit[top].mean())
    return float(np.mean(found)) if found else float("nan")
