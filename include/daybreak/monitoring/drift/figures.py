"""The figures of one night, from its histograms, those of earlier nights and of the training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from daybreak.histogram import KEY, MISSING, ROW, Histogram, Name
from daybreak.monitoring.drift.distances import ks, noise_of_psi, psi, side_by_side
from daybreak.monitoring.drift.limits import (
    Limits,
    Sign,
    State,
    limits_of_psi,
    limits_of_value,
    state_of,
    state_of_value,
)
from daybreak.monitoring.drift.noticed import least_growth, least_shift
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
    """What was measured of a night. ``values``: by name, kinds size and quality.
    ``beside_holiday``: the day before or after is a public holiday."""

    entities: int
    histograms: Mapping[Name, Histogram]
    values: Mapping[Name, Value] = field(default_factory=dict)
    beside_holiday: bool = False


@dataclass(frozen=True)
class Past:
    """What is known of a name from earlier nights, the newest last.

    ``usual``: distances of nights without an alarm. ``of_weekday``: those of the same weekday.
    ``values``: of a number. ``before``: how far it was on the night before, in multiples of its
    limit, with its sign. ``state``: what the night before said, None where there was none.
    ``in_alarm``: an alarm is raised and not cleared.
    """

    usual: Sequence[float] = ()
    of_weekday: Sequence[float] = ()
    values: Sequence[float] = ()
    before: float = 0.0
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
    psi_holiday: float | None = None
    earlier_nights: int = 0
    usual_nights: int = 0
    distance: float | None = None
    raise_at: float | None = None
    clear_at: float | None = None
    noticed: float | None = None
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
    holidays: Sequence[Night] = (),
) -> list[Figure]:
    """All figures of a night.

    ``earlier``: the newest nights of the same weekday, ``WEEKS`` at most. ``training``: of the
    version that scored it. ``past``: by name. ``holidays``: nights of public holidays in the last
    ``WEEKS`` weeks.
    """
    of_histograms = [
        _of_histogram(
            name,
            now,
            _Beside(_of(earlier, name), _of(holidays, name), training.get(name)),
            past.get(name, NOTHING),
        )
        for name, now in night.histograms.items()
        if name.kind != ROW  # what was asked is compared with them, and they with no other night
    ]
    size = Value(float(night.entities), night.entities, LEAST_SIZE)
    values = {ENTITIES: size, **night.values}
    return [
        *of_histograms,
        *(
            _of_value(
                name,
                value,
                past.get(name, NOTHING),
                watched=len(values),
                waits=night.beside_holiday,
            )
            for name, value in values.items()
        ),
    ]


@dataclass(frozen=True)
class _Beside:
    """What a histogram is compared with: its name's on other nights, and in training."""

    earlier: list[Histogram]
    holidays: list[Histogram]
    trained: Binned | None


def _of(nights: Sequence[Night], name: Name) -> list[Histogram]:
    return [one.histograms[name] for one in nights if name in one.histograms]


def _of_histogram(name: Name, now: Histogram, beside: _Beside, past: Past) -> Figure:
    before, trained = beside.earlier, beside.trained
    together = Histogram.sum(before)
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
    by_holiday = min(
        (psi(counts, binned.bins.counts(one)) for one in beside.holidays), default=None
    )
    compared = len(before) >= LEAST_EARLIER
    # The second largest: one odd night says nothing of what is usual.
    usual_missing = sorted([0.0, *map(_missing, before)])[-2:][0]
    distance = by_earlier[0] if compared else by_training[0]
    limits: Limits | None = None
    state = State.QUIET
    noticed: float | None = None
    if distance is not None:
        of_the_day = _is_of_the_day(now, before, trained)
        noise = noise_of_psi(binned.bins.number, now.values, together.values)
        if not of_the_day:
            limits = limits_of_psi(past.usual if compared else (), noise)
        if limits is not None:
            if name.kind != KEY:  # buckets do not grow
                noticed = least_growth(together, binned.bins, limits.raise_at)
            # What a holiday leaves behind stays for weeks, and no night before it has it. An alarm
            # was there before the holiday, and so is in its night.
            if by_holiday is not None and distance > limits.raise_at and not past.in_alarm:
                distance = min(distance, by_holiday)
        sign = Sign(
            distance,
            one_value=of_the_day,
            new=_new(now, together, trained, of_the_day),
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
        psi_holiday=by_holiday,
        earlier_nights=len(before),
        usual_nights=len(past.usual) if compared else 0,
        distance=distance,
        state=state,
        raise_at=limits.raise_at if limits else None,
        clear_at=limits.clear_at if limits else None,
        noticed=noticed,
    )


def _is_of_the_day(now: Histogram, before: Sequence[Histogram], trained: Binned | None) -> bool:
    """Whether a night has one value, and another night another one, such as the weather: that is no
    distribution, and how far it is from others says nothing. It may be the same one for weeks, as
    rain is: then the training, which has nights of all its time, says that it moves."""
    if any(len(one.keys) != 1 for one in (now, *before)):
        return False
    moved = trained is not None and int(np.count_nonzero(trained.counts)) > 1
    return moved or len({int(one.keys[0]) for one in before}) > 1


def _new(now: Histogram, before: Histogram, trained: Binned | None, of_the_day: bool) -> float:
    """How much more of the values than before are outside of all that the training saw.

    Of one value a night it saw as many as it had nights, and one in a dozen is beyond all of these
    by chance; so such a value has to be further outside than they are from one another.
    """
    if trained is None:
        return 0.0
    if not of_the_day or now.keys[0] == MISSING:
        return trained.outside(now) - trained.outside(before)
    return float(trained.is_far_outside(now))


def _missing(histogram: Histogram) -> float:
    return histogram.missing / max(histogram.values, 1)


def _of_value(name: Name, value: Value, past: Past, *, watched: int, waits: bool) -> Figure:
    """A size is compared by its logarithm, a measure as it is. ``watched``: numbers of the night.
    ``waits``: beside a holiday a measure is above its limit at most."""
    as_is = name.kind != ENTITIES.kind
    usual = median(past.values) if past.values else None
    distance: float | None = None
    limits: Limits | None = None
    state = State.QUIET
    if usual is not None:
        moved = (
            value.value - usual
            if as_is
            else math.log(max(value.value, 1.0)) - math.log(max(usual, 1.0))
        )
        distance = abs(moved)
        limits = limits_of_value(past.usual, past.of_weekday, value.least, watched)
        if limits is not None:
            state = state_of_value(
                moved / limits.raise_at, past.before, in_alarm=past.in_alarm, waits=waits and as_is
            )
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
        noticed=least_shift(limits.raise_at, past.usual, as_is=as_is) if limits else None,
    )
