"""What training says of its lists: how good they are on the last week, beside single sources."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import xgboost as xgb

from daybreak.facts.events import Events
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.formulas import GUARD, POPULAR
from daybreak.models.recommendations.learn.baselines import baselines
from daybreak.models.recommendations.learn.day import Day
from daybreak.models.recommendations.learn.evaluate import (
    MEASURES,
    differences,
    evaluate,
    model_lister,
    pooled,
    trees,
    with_sessions,
)
from daybreak.models.recommendations.learn.held_out import FIRST_DAY, held_out


def evidence_of(
    events: Events,
    day: Day,
    booster: xgb.Booster,
    guard: Mapping[str, Any],
    *,
    most_users: int,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    """Measures of a ranker on the last week, which it has not seen, beside the single sources.

    ``guard``: as in the manifest. ``most_users``: lists that each reading is measured on at most.
    """
    week = held_out(events, day, most=most_users, seed=seed)
    at = week.at
    listers = {
        "model": model_lister(trees(booster), at, {GUARD: guard}),
        **baselines(week.known, at, seed=seed, threads=threads),
    }
    found = evaluate(at, week.asked, listers)
    begun = with_sessions(week, trees(booster), {GUARD: guard})
    return {
        "as_of": (EPOCH + timedelta(days=at.day)).isoformat(),
        "through": (EPOCH + timedelta(days=at.day + at.window)).isoformat(),
        "users": len(found["all"]["model"]["ndcg@10"]),
        "users_new": len(found["new"]["model"]["ndcg@10"]),
        "users_first_day": len(found[FIRST_DAY]["model"]["ndcg@10"]),
        "repeat_share": week.repeat_share,
        "once_share": week.once_share,
        "paired": {reading: differences(of) for reading, of in found.items()},
        "session": {
            "baskets": len(week.sessions[0]),
            **{
                name: float(of[MEASURES[0]].mean()) if len(week.sessions[0]) else 0.0
                for name, of in begun.items()
            },
            **differences(begun)[POPULAR],
        },
        **{
            reading: {name: pooled([values]) for name, values in of.items()}
            for reading, of in found.items()
        },
    }
