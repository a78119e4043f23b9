"""What the model has to beat: the amount, how risky the key was, and a logistic regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from daybreak.models.fraud.layout import MONTH
from daybreak.models.fraud.learn.examples import Examples
from daybreak.types import Float32

Floats = NDArray[np.float64]
PENALTY = 1.0


def amount(examples: Examples) -> Floats:
    """The larger, the more suspect; all alike where the stream has no amount."""
    amounts = list(examples.transactions.amounts.values())
    return amounts[0].astype(np.float64) if amounts else np.zeros(len(examples))


def key_risk(examples: Examples) -> Floats:
    """The highest share of frauds of any of its keys within 30 days."""
    places = [
        place
        for place, signal in enumerate(examples.layout.signals)
        if signal.measure == "fraud_share" and signal.window.length == MONTH.length
    ]
    shares = np.nan_to_num(examples.rows.signals[:, places].astype(np.float64))
    return np.asarray(shares.max(axis=1, initial=0.0))


def logistic(learned: Float32, fraud: NDArray[np.bool_], asked: Float32) -> Floats:
    """Logistic regression on the same features: logarithms, standardised, missing ones as usual."""
    known, others = _logarithms(learned), _logarithms(asked)
    given = ~np.isnan(known).all(axis=0)  # a column of nothing has no median
    usual = np.zeros(known.shape[1])
    usual[given] = np.nanmedian(known[:, given], axis=0)
    known, others = (np.where(np.isnan(X), usual, X) for X in (known, others))
    mean, scale = known.mean(axis=0), known.std(axis=0) + 1e-9
    known, others = (
        np.column_stack([(X - mean) / scale, np.ones(len(X))]) for X in (known, others)
    )
    target = fraud.astype(np.float64)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = known @ weights
        value = np.logaddexp(0, margins) - target * margins
        slope = known.T @ (expit(margins) - target) + PENALTY * weights
        return float(value.sum() + PENALTY * (weights**2).sum() / 2), slope

    start = np.zeros(known.shape[1])
    weights = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return np.asarray(others @ weights)


def _logarithms(X: Float32) -> Floats:
    found = np.log1p(np.maximum(X.astype(np.float64), 0))
    found[np.isnan(X)] = np.nan
    return found
