"""The figures of one night, from its histograms, those of earlier nights and of the training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from daybreak.histogram import Histogram, Name
from daybreak.monitoring.drift.distances import ks, noise_of_psi, psi, side_by_side
from daybreak.monitoring.drift.limits import (
    Limits,
    Sign,
    State,
    limits_of_psi,
    limits_of_value,
    state_of,
)
from daybreak.monitoring.drift.reference import Binned

LEAST_EARLIER = 2
"""Nights of the same weekday that a night is compared with; before, with its training alone."""

WEEKS = 4
"""As many at most."""

Pair = tuple[float | None, float | None]
"""The population stability index and the statistic of Kolmogorov and Smirnov."""

ENTITIES = Name("size", "entities")
LEAST_SIZE = 0.1
"""A change of the number of entities that is worth a word, as a logarithm."""


@dataclass(frozen=True)
class Value:
    """A number of a night that is no distribution: a measure of quality, or a size.

    ``rows``: that it is of. ``least``: a change of it that is worth a word. ``promised``: what the
    version's backtest found; None where it says nothing.
    """

    value: float
    rows: int
    least: float
    promised: float | None = None


@dataclass(frozen=True)
class Night:
    """What was measured of a night. ``values``: by name, kinds size and quality."""

    entities: int
    histograms: Mapping[Name, Histogram]
    values: Mapping[Name, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Past:
    """What is known of a name from earlier nights, the newest last.

    ``usual``: distances of nights without an alarm. ``of_weekday``: those of the same weekday.
    ``values``: of a number. ``state``: what the
    night before said, None where there was none. ``in_alarm``: an alarm is raised and not cleared.
    """

    usual: Sequence[float] = ()
    of_weekday: Sequence[float] = ()
    values: Sequence[float] = ()
    state: State | None = None
    in_alarm: bool = False


NOTHING = Past()


@dataclass(frozen=True)
class Figure:
    """A row of ``ops.drift`` without its night; the columns are described there."""

    kind: str
    name: str
    rows: int
    value: float | None = None
    value_training: float | None = None
    value_earlier: float | None = None
    missing: float | None = None
    missing_earlier: float | None = None
    outside: float | None = None
    psi_training: float | None = None
    ks_training: float | None = None
    psi_earlier: float | None = None
    ks_earlier: float | None = None
    earlier_nights: int = 0
    usual_nights: int = 0
    distance: float | None = None
    raise_at: float | None = None
    clear_at: float | None = None
    state: State = State.QUIET

    @property
    def ratio(self) -> float:
        """The distance over the limit: above 1 is above it."""
        return self.distance / self.raise_at if self.distance and self.raise_at else 0.0


def figures_of(
    night: Night,
    earlier: Sequence[Night],
    training: Mapping[Name, Binned],
    past: Mapping[Name, Past],
) -> list[Figure]:
    """All figures of a night.

    ``earlier``: the newest nights of the same weekday, ``WEEKS`` at most. ``training``: of the
    version that scored it. ``past``: by name.
    """
    of_histograms = [
        _of_histogram(name, night, earlier, training.get(name), past.get(name, NOTHING))
        for name in night.histograms
    ]
    size = Value(float(night.entities), night.entities, LEAST_SIZE)
    values = {ENTITIES: size, **night.values}
    return [
        *of_histograms,
        *(_of_value(name, value, past.get(name, NOTHING)) for name, value in values.items()),
    ]


def _of_histogram(
    name: Name, night: Night, earlier: Sequence[Night], trained: Binned | None, past: Past
) -> Figure:
    now = night.histograms[name]
    before = [one for one in earlier if name in one.histograms]
    together = Histogram.sum([one.histograms[name] for one in before])
    # Without a training the nights before say which values are compared as one.
    binned = trained or Binned.of(together)
    counts = binned.bins.counts(now)
    by_training: Pair = (None, None)
    by_earlier: Pair = (None, None)
    if trained is not None:
        by_training = (psi(counts, trained.counts), ks(counts, trained.counts))
    if before:
        finely = side_by_side(now, together)
        by_earlier = (psi(counts, binned.bins.counts(together)), ks(*finely))
    compared = len(before) >= LEAST_EARLIER
    # The second largest: one odd night says nothing of what is usual.
    usual_missing = sorted([0.0, *(_missing(one.histograms[name]) for one in before)])[-2:][0]
    distance = by_earlier[0] if compared else by_training[0]
    limits: Limits | None = None
    state = State.QUIET
    if distance is not None:
        noise = noise_of_psi(binned.bins.number, now.values, together.values)
        if not _is_of_the_day(now, [one.histograms[name] for one in before]):
            limits = limits_of_psi(past.usual if compared else (), noise)
        sign = Sign(
            distance,
            new=trained.outside(now) - trained.outside(together) if trained else 0.0,
            missing=_missing(now) - usual_missing if compared else 0.0,
        )
        state = state_of(sign, limits, before=past.state, in_alarm=past.in_alarm)
    return Figure(
        *name,
        rows=now.values,
        missing=_missing(now),
        missing_earlier=usual_missing if before else None,
        outside=binned.outside(now),
        psi_training=by_training[0],
        ks_training=by_training[1],
        psi_earlier=by_earlier[0],
        ks_earlier=by_earlier[1],
        earlier_nights=len(before),
        usual_nights=len(past.usual) if compared else 0,
        distance=distance,
        state=state,
        raise_at=limits.raise_at if limits else None,
        clear_at=limits.clear_at if limits else None,
    )


def _is_of_the_day(now: Histogram, before: Sequence[Histogram]) -> bool:
    """Whether all values of a night are one, and another every night, such as the weather: that is
    no distribution, and how far it is from others says nothing."""
    nights = [now, *before]
    alike = all(len(one.keys) == 1 for one in nights)
    return alike and len({int(one.keys[0]) for one in before}) > 1


def _missing(histogram: Histogram) -> float:
    return histogram.missing / max(histogram.values, 1)


def _of_value(name: Name, value: Value, past: Past) -> Figure:
    """A size is compared by its logarithm, a measure as it is."""
    as_is = name.kind != ENTITIES.kind
    usual = median(past.values) if past.values else None
    distance: float | None = None
    limits: Limits | None = None
    state = State.QUIET
    if usual is not None:
        distance = abs(
            value.value - usual
            if as_is
            else math.log(max(value.value, 1.0)) - math.log(max(usual, 1.0))
        )
        limits = limits_of_value(past.usual, past.of_weekday, value.least)
    if distance is not None and limits is not None:
        sign = Sign(distance, of_value=True)
        state = state_of(sign, limits, before=past.state, in_alarm=past.in_alarm)
    return Figure(
        *name,
        rows=value.rows,
        value=value.value,
        value_training=value.promised,
        value_earlier=usual,
        earlier_nights=len(past.values),
        usual_nights=len(past.usual),
        distance=distance,
        state=state,
        raise_at=limits.raise_at if limits else None,
        clear_at=limits.clear_at if limits else None,
    )
