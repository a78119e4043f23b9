"""The version that is in force until one passes the gate: the best single source."""

from __future__ import annotations

from datetime import date

import numpy as np
from scipy import sparse

from daybreak.errors import NoData
from daybreak.facts.events import Events
from daybreak.models.base import Baseline, Headline, Trained
from daybreak.models.baselines import answering_by
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.learned import (
    FILE,
    LEARNED_STATISTICS,
    NEIGHBOURS,
    Learned,
)
from daybreak.models.recommendations.formulas import FORMULAS, GUARD, POPULAR
from daybreak.models.recommendations.learn.gate import MEASURE, deciding, measure_of, users_of
from daybreak.models.recommendations.learn.lineage import described
from daybreak.models.recommendations.learn.popularity import Popularity
from daybreak.models.recommendations.numbers import Numbers
from daybreak.registry.artifact import Artifact

LEARNED = (GUARD, "params", "metrics", "evidence", "seed", "objective", "window")
"""What a manifest says of trees."""


def of_challenger(challenger: Artifact) -> Baseline:
    """The best of ``FORMULAS`` in the week held out, with the neighbours of the challenger."""
    held_out = challenger.manifest["evidence"]
    name, headline = POPULAR, None
    if users_of(held_out):
        found = held_out[deciding(held_out)]
        name = max(FORMULAS, key=lambda one: (found[one][MEASURE], one == POPULAR))
        value = found[name][MEASURE]
        headline = Headline(measure_of(held_out), value, name, value)
    known = {key: value for key, value in challenger.manifest.items() if key not in LEARNED}
    return Baseline(Trained(None, known | answering_by(name), challenger.files), headline)


def of_events(events: Events, business_date: date, numbers: Numbers) -> Baseline:
    """What is popular, where there is too little to learn neighbours from. Raises ``NoData``."""
    if not len(events):
        raise NoData(
            f"There are no interactions up to {business_date}, so there is nothing to list.",
            remedy="Load interactions, or choose a later business date.",
            business_date=business_date.isoformat(),
        )
    items = len(events.item_ids)
    nothing = sparse.csr_matrix((items, items), dtype=np.float32)
    unknown = np.full((items, len(LEARNED_STATISTICS)), np.nan, np.float32)
    popularity, today = Popularity(events, numbers), (business_date - EPOCH).days
    days = popularity.days(today)
    learned = Learned(events.item_ids, dict.fromkeys(NEIGHBOURS, nothing), unknown, days)
    manifest = described(events, business_date, numbers) | answering_by(POPULAR)
    manifest["popularity"] = {"days": days, "ndcg@10": popularity.scored(today)}
    return Baseline(Trained(None, manifest, {FILE: learned.to_bytes()}))
