"""Days that the ranker learned from as a night has them, with some of their users: what later
nights are compared with."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from daybreak.models import base
from daybreak.models.base import Context, SnapshotRows
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.learn.day import Day, chosen

Night = tuple[base.Day, SnapshotRows]

NIGHTS = 8
"""The newest ones, a week apart: their users and catalogue are most like those to come."""
USERS_OF_A_NIGHT = 250


def as_a_night(at: Day, lists: Context, seed: int) -> Night:
    """The day with ``USERS_OF_A_NIGHT`` users at most, drawn evenly, in key order.

    ``lists``: how lists are published (`numbers.published`).
    """
    users = np.arange(len(at.rows))
    if len(users) > USERS_OF_A_NIGHT:
        random = np.random.default_rng([seed, at.day, 1])
        users = np.sort(random.choice(users, USERS_OF_A_NIGHT, replace=False))
    context = {**at.catalogue.to_context(), **lists, **at.numbers.to_context()}
    day = base.Day(EPOCH + timedelta(days=at.day), context, at.numbers.to_json())
    return day, chosen(at.rows, users)
