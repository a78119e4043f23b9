"""How good the scores of a business date are by themselves, weeks before its frauds are known.

Confidence-based performance estimation (NannyML's name): where probabilities are right, each event
is a fraud with its probability, so that a measure of known frauds has an estimate that needs none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from daybreak.clock import AsOf
from daybreak.models.base import Measured

LEAST = {"estimated_auc": 0.02, "estimated_average_precision": 0.05}
"""A change of each measure that is worth a word."""

LEAST_EVENTS = 100
"""Of fewer an estimate is of these events, and says nothing of the version."""

_PROBABILITIES = text(
    """
    SELECT score.probability::double precision AS probability, count(*) AS events
    FROM ops.published AS pointer
    JOIN ops.generation AS scored_as ON scored_as.generation_id = pointer.generation_id
    JOIN score.fraud AS score
        ON score.generation_id = pointer.generation_id
        AND score.business_date = pointer.business_date
    WHERE pointer.model = 'fraud' AND pointer.business_date = :day
        AND scored_as.cutoff <= :cutoff
    GROUP BY score.probability
    ORDER BY score.probability DESC
    """
)


def quality(warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
    """Of the scores that are published of the business date, made from what was known at the
    cutoff: the area under the ROC curve and the average precision that their probabilities say.

    Nothing of fewer than ``LEAST_EVENTS``.
    """
    asked = {"day": as_of.business_date, "cutoff": as_of.cutoff}
    rows = warehouse.execute(_PROBABILITIES, asked).all()
    events = np.array([row.events for row in rows], np.float64)
    if events.sum() < LEAST_EVENTS:
        return {}
    found = estimated(np.array([row.probability for row in rows]), events)
    return {name: Measured(value, int(events.sum()), LEAST[name]) for name, value in found.items()}


def estimated(probability: NDArray[np.float64], events: NDArray[np.float64]) -> dict[str, float]:
    """Both measures, of so many ``events`` of each ``probability``, (n,), the highest first;
    nothing where all are 0 or all 1.

    As in ``report.fraud_quality``: an event counts as a fraud with its probability for a weight,
    and as none with the rest of it. The first is the chance that a fraud has a higher probability
    than another event, half where equal; the second the precision at each probability, weighted by
    the frauds that it adds.
    """
    frauds, others = events * probability, events * (1 - probability)
    if frauds.sum() <= 0 or others.sum() <= 0:
        return {}
    below = others.sum() - np.cumsum(others)
    pairs = frauds @ (below + others / 2)
    precision = np.cumsum(frauds) / np.cumsum(events)
    return {
        "estimated_auc": float(pairs / (frauds.sum() * others.sum())),
        "estimated_average_precision": float(frauds @ precision / frauds.sum()),
    }
