"""Figures of what the endpoint was asked, beside the night that answered it.

Who asks is never like the night: people ask about what sells. So how far both are apart says
nothing by itself, and what counts is by how much more than usual: what differs every day in the
same way is no distance. A value that is encoded or filled in otherwise online than by night makes
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from daybreak.histogram import ASKED, Name
from daybreak.monitoring.drift.asked_counts import OfFeature
from daybreak.monitoring.drift.distances import Counts, ks, noise_of_psi, psi
from daybreak.monitoring.drift.figures import NOTHING, Figure, Past
from daybreak.monitoring.drift.limits import Limits, Sign, State, limits_of_psi, state_of

LEAST_ANSWERS = 100
"""Of fewer nothing is said: what a few people ask is chance."""


def figures_of_asked(asked: Mapping[str, OfFeature], past: Mapping[Name, Past]) -> list[Figure]:
    """Of each feature how far the rows that were asked for are from those of the night.

    ``past``: by name, of figures of this kind. Where there are fewer than ``LEAST_ANSWERS``, an
    alarm stays as it is, also of a feature that nobody asked about.
    """
    found = [
        _figure(Name(ASKED, name), one, past.get(Name(ASKED, name), NOTHING))
        for name, one in asked.items()
    ]
    silent = [
        Figure(*name, rows=0, state=State.ALARM)
        for name, one in past.items()
        if name.kind == ASKED and one.in_alarm and name.name not in asked
    ]
    return found + silent


def _figure(name: Name, one: OfFeature, past: Past) -> Figure:
    apart = psi(one.asked, one.night)
    usual = median(past.values) if past.values else None
    enough = one.answers >= LEAST_ANSWERS
    distance: float | None = None
    limits: Limits | None = None
    state = State.ALARM if past.in_alarm else State.QUIET
    if enough and usual is not None:
        distance = max(apart - usual, 0.0)
        # Rows of one answer are much alike.
        noise = noise_of_psi(one.trained.bins.number, one.answers, int(one.night.sum()))
        limits = limits_of_psi(past.usual, noise)
        state = state_of(Sign(distance), limits, before=past.state, in_alarm=past.in_alarm)
    return Figure(
        *name,
        rows=int(one.asked.sum()),
        value=apart if enough else None,
        value_earlier=usual,
        missing=_missing(one.asked),
        missing_earlier=_missing(one.night),
        outside=one.trained.outside_of(one.asked),
        psi_training=psi(one.asked, one.trained.counts),
        ks_training=ks(one.asked, one.trained.counts),
        psi_earlier=apart,
        ks_earlier=ks(one.asked, one.night),
        earlier_nights=1,
        usual_nights=len(past.usual),
        distance=distance,
        raise_at=limits.raise_at if limits else None,
        clear_at=limits.clear_at if limits else None,
        state=state,
    )


def _missing(counts: Counts) -> float:
    """The first bin's share."""
    return float(counts[0] / max(counts.sum(), 1))
