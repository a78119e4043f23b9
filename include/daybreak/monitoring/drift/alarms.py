"""What later nights look at of a night, and what it raises and clears."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from daybreak.histogram import ASKED, Name
from daybreak.monitoring.drift.figures import LEAST_EARLIER, Figure, Past
from daybreak.monitoring.drift.limits import MOST_USUAL, State

LEAST_OF_WEEKDAY = 4
"""Values of the same weekday that say what is usual; where there are fewer, those of all days."""


@dataclass(frozen=True)
class Change:
    """An alarm that was raised or cleared."""

    name: Name
    event: str
    distance: float | None
    raise_at: float | None


class Row(Protocol):
    """What of a figure later nights look at."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> float | None: ...  # noqa: D102
    @property
    def distance(self) -> float | None: ...  # noqa: D102
    @property
    def value_earlier(self) -> float | None: ...  # noqa: D102
    @property
    def raise_at(self) -> float | None: ...  # noqa: D102
    @property
    def earlier_nights(self) -> int: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102


def past_of(
    nights: Mapping[date, Sequence[Row]], in_alarm: Collection[Name], day: date
) -> dict[Name, Past]:
    """What is known of each name on ``day``. ``nights``: figures of earlier nights, the newest
    last."""
    usual: dict[Name, list[float]] = defaultdict(list)
    values: dict[Name, list[float]] = defaultdict(list)
    of_weekday: dict[Name, list[float]] = defaultdict(list)
    usual_of_weekday: dict[Name, list[float]] = defaultdict(list)
    states: dict[Name, State] = {}
    before: dict[Name, float] = {}
    newest = max(nights, default=None)
    for night, rows in list(nights.items())[-MOST_USUAL:]:
        same = night.weekday() == day.weekday()
        for row in rows:
            name = Name(row.kind, row.name)
            if row.distance is not None and is_usual(row):
                usual[name].append(row.distance)
                if same:
                    usual_of_weekday[name].append(row.distance)
            if row.value is not None:
                values[name].append(row.value)
                if same:
                    of_weekday[name].append(row.value)
            if night == newest:
                states[name] = State(row.state)
                before[name] = _signed(row)
    return {
        name: Past(
            usual[name],
            usual_of_weekday[name],
            of_weekday[name] if len(of_weekday[name]) >= LEAST_OF_WEEKDAY else values[name],
            before.get(name, 0.0),
            states.get(name),
            name in in_alarm,
        )
        for name in {*usual, *values, *states, *in_alarm}
    }


def _signed(row: Row) -> float:
    """How far a number was from what was usual, in multiples of its limit; 0 of a distribution."""
    if row.value is None or row.value_earlier is None or not row.distance or not row.raise_at:
        return 0.0
    return math.copysign(row.distance / row.raise_at, row.value - row.value_earlier)


def is_usual(row: Row) -> bool:
    """Whether limits are learned from the distance of a night: not from one in alarm, nor from one
    that was compared with its training for lack of earlier ones. What was asked is compared with
    one night."""
    compared = row.kind == ASKED or row.earlier_nights >= LEAST_EARLIER
    return row.distance is not None and row.state != State.ALARM and compared


def changes_of(figures: Sequence[Figure], past: Mapping[Name, Past]) -> list[Change]:
    """What a night raises and clears. An alarm of a name that is not measured any more is
    cleared."""
    found = []
    for figure in figures:
        name = Name(figure.kind, figure.name)
        before = name in past and past[name].in_alarm
        if before != (figure.state is State.ALARM):
            event = "cleared" if before else "raised"
            found.append(Change(name, event, figure.distance, figure.raise_at))
    measured = {Name(figure.kind, figure.name) for figure in figures}
    return found + [
        Change(name, "cleared", None, None)
        for name, one in past.items()
        if one.in_alarm and name not in measured
    ]
