"""How well responses say what demand did at price changes, beside no response and shared ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, xlogy

from daybreak.models.pricing.elasticity.cells import Floats
from daybreak.models.pricing.learn.changes import Changes

NO_RESPONSE = "no_response"
MODEL = "model"
DECISIVE = 2.0
"""Standard errors from no change from which on a change of demand is one."""


def measures_of(
    changes: Changes, methods: Mapping[str, Floats], dispersion: Floats, group: NDArray[np.intp]
) -> dict[str, Any]:
    """JSON. ``methods``: elasticities by name, (k,) each, of which one is ``MODEL``; no response is
    added. ``dispersion`` (k,): of units. ``group`` (k,): changes of one have something in common.
    """
    found: dict[str, Any] = {
        "changes": len(changes),
        "groups": len(np.unique(group)),
        "raises": int((changes.change > 0).sum()),
        "mean_change": _mean(np.abs(changes.change)),
    }
    if not len(changes):
        return found
    methods = {**methods, NO_RESPONSE: np.zeros(len(changes))}
    losses = {name: _deviance(changes, values, dispersion) for name, values in methods.items()}
    found["deviance"] = {name: _mean(values) for name, values in losses.items()}
    found["behind"] = {
        name: _difference(losses[MODEL] - values, group)
        for name, values in losses.items()
        if name != MODEL
    }
    found["direction"] = _direction(changes, methods[MODEL], dispersion)
    found["size"] = _size(changes, methods[MODEL], dispersion, group)
    return found


def _deviance(changes: Changes, elasticity: Floats, dispersion: Floats) -> Floats:
    """Of the units after a change among those of both sides, over the dispersion, (k,)."""
    share, total = changes.share(elasticity), changes.before + changes.after
    right = xlogy(changes.after, changes.after / (total * share))
    left = xlogy(changes.before, changes.before / (total * (1.0 - share)))
    return np.asarray(2.0 * (right + left) / dispersion)


def _difference(by_change: Floats, group: NDArray[np.intp]) -> dict[str, float | None]:
    """The mean, and its standard error where changes of one group are not independent."""
    sums = np.bincount(np.unique(group, return_inverse=True)[1], by_change - by_change.mean())
    k = len(sums)
    error = None
    if k > 1:
        error = float(np.sqrt(np.square(sums).sum() * k / (k - 1)) / len(by_change))
    return {"difference": _mean(by_change), "standard_error": error}


def _noise(changes: Changes, elasticity: Floats, dispersion: Floats) -> Floats:
    """Standard errors of the logs of odds, (k,), wide enough for what is seen beside the model."""
    share, total = changes.share(elasticity), changes.before + changes.after
    variance = total * share * (1.0 - share)
    pearson = np.square(changes.after - total * share) / (variance * dispersion)
    wider = max(1.0, _mean(pearson))
    return np.asarray(np.sqrt(dispersion * wider / variance))


def _direction(changes: Changes, elasticity: Floats, dispersion: Floats) -> dict[str, Any]:
    """How often demand went where the model says, and how often it would by chance if the model
    were right; then of decisive changes alone."""
    error = _noise(changes, elasticity, dispersion)
    odds = np.log((changes.after + 0.5) / (changes.before + 0.5)) - np.log(changes.odds)
    right = odds * elasticity * changes.change > 0
    decisive = np.abs(odds) > DECISIVE * error
    expected = ndtr(np.abs(elasticity * changes.change) / error)
    return {
        "right": _mean(right),
        "expected": _mean(expected),
        "decisive": int(decisive.sum()),
        "right_of_decisive": _mean(right[decisive]) if decisive.any() else None,
    }


def _size(
    changes: Changes, elasticity: Floats, dispersion: Floats, group: NDArray[np.intp]
) -> dict[str, float | None]:
    """By which factor the model's elasticities are to be multiplied to fit: 1 where they are right.

    Newton's method on the quasi-likelihood of the units after a change among those of both sides.
    """
    total = (changes.before + changes.after) / dispersion
    along = elasticity * changes.change
    factor = 1.0
    score = information = np.zeros(len(changes))
    for _ in range(30):
        share = changes.share(factor * elasticity)
        score = along * (changes.after / dispersion - total * share)
        information = along**2 * total * share * (1.0 - share)
        if not information.sum() > 0:
            return {"factor": None, "standard_error": None}
        factor += float(np.clip(score.sum() / information.sum(), -1.0, 1.0))
    sums = np.bincount(np.unique(group, return_inverse=True)[1], score)
    error = float(np.sqrt(np.square(sums).sum()) / information.sum())
    return {"factor": factor, "standard_error": error if len(sums) > 1 else None}


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
