"""What is measured of a model on a machine and a warehouse, by the five factors of docs/advise.md.

Processor seconds are of all processes that took part and that could be looked at; ``server``
says whether PostgreSQL's were among them. Everything here is a number or a text, so that a report
is these values as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

HOURS_A_DAY = 24.0


@dataclass(frozen=True)
class Need:
    """What the business asks for.

    ``interval_hours``: from one night to the next. ``window_seconds``: from the start of a run to
    its due time. ``due``: as people write it.
    """

    interval_hours: float
    window_seconds: float
    due: str


@dataclass(frozen=True)
class Stale:
    """Answers made from what was known ``hours`` before they were used.

    ``value``: the headline measure against what came true. ``lost``: units of loss, an answer.
    ``changed``: share of answers that differ from those made with all that was known. ``same``:
    share of the moments looked at at which nothing more was known, so that they cannot differ.
    """

    hours: float
    value: float
    lost: float
    changed: float
    same: float


@dataclass(frozen=True)
class Freshness:
    """What older knowledge costs, by a replay of days whose truth is known.

    ``ages``: in order, the first of 0 hours. ``night``: answers of the last night, as they are used
    until the next one; None where none were made ahead. ``answers``: that were compared, of
    ``days``. ``unit``: of what is lost.
    """

    measure: str
    higher_is_better: bool
    unit: str
    days: tuple[date, ...]
    answers: int
    ages: tuple[Stale, ...]
    night: Stale | None

    def lost_more(self, stale: Stale) -> float:
        """Units that an answer loses beside one with all that was known; 0 where it seems to gain.

        Older knowledge is not better: where the truth of few days says so, it is noise.
        """
        return max(0.0, stale.lost - self.ages[0].lost)

    def lost_within(self, hours: float) -> float:
        """The mean of ``lost_more`` over ages from 0 to ``hours``, linear between those measured
        and level after the last."""
        known = [(one.hours, self.lost_more(one)) for one in self.ages]
        return mean_below(known, hours)


@dataclass(frozen=True)
class Night:
    """A business date, made and scored as a nightly run does.

    ``answers``: entities. ``rows``: of the score table. ``wall_seconds``: one step after the other.
    ``memory_bytes``: the peak of the process. ``stored_bytes``: snapshot and scores with indexes.
    """

    business_date: date
    answers: int
    rows: int
    snapshot_processor_seconds: float
    score_processor_seconds: float
    server_processor_seconds: float | None
    wall_seconds: float
    memory_bytes: float
    stored_bytes: float

    @property
    def processor_seconds(self) -> float:
        """Of all steps, and of the server where it could be looked at."""
        steps = self.snapshot_processor_seconds + self.score_processor_seconds
        return steps + (self.server_processor_seconds or 0.0)


@dataclass(frozen=True)
class Times:
    """Of ``count`` tries, one after the other. ``processor_seconds``: of one, on average."""

    count: int
    processor_seconds: float
    p50_ms: float
    p99_ms: float


NOTHING = Times(0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Live:
    """Requests answered as they come.

    ``answer``: of the endpoint's app, each about something else. ``again``: the same requests once
    more, which it remembers. ``row``: making the feature row of one entity from the facts; nothing
    where the answer includes that. ``a_second``: answers by one worker in a closed loop.
    ``memory_bytes``: the peak of a worker.
    """

    answer: Times
    again: Times
    row: Times
    a_second: float
    memory_bytes: float
    server: bool

    @property
    def processor_seconds(self) -> float:
        """Of one answer, its row included."""
        return self.answer.processor_seconds + self.row.processor_seconds

    @property
    def p99_ms(self) -> float:
        """At most: that of the answer and that of its row, as if both were slow at once."""
        return self.answer.p99_ms + self.row.p99_ms

    @property
    def most_a_second(self) -> float:
        """Answers that one worker can give, rows included, none of them waiting."""
        each = 1 / self.a_second if self.a_second else 0.0
        row = self.row.p50_ms / 1000
        return 1 / (each + row) if each + row else float("inf")


@dataclass(frozen=True)
class Usage:
    """Who asks.

    ``requests_a_day``: None where nobody knows; ``counted_from`` says by what it is known.
    ``published_share``: of the answers counted, those that were what the night had published; None
    where none were counted. ``own_inputs``: share of requests that bring what no night can know.
    ``rows_read``: look-ups in the score table since its statistics began, by anybody, the
    platform's own included; None where there are none.
    """

    requests_a_day: float | None
    counted_from: str
    published_share: float | None
    own_inputs: float
    rows_read: int | None


@dataclass(frozen=True)
class Measurements:
    """All of it, of one version. ``freshness`` and ``night`` are None, with ``unknown`` saying why,
    where they cannot be measured."""

    model: str
    version: str
    decides: bool
    need: Need
    freshness: Freshness | None
    night: Night | None
    read: Times | None
    live: Live
    usage: Usage
    unknown: tuple[str, ...] = ()


def mean_below(known: list[tuple[float, float]], x: float) -> float:
    """The mean from the first point to ``x`` of a line through points (x, y) in order.

    Trapezoids; level after the last point. At the first point its own y.
    """
    first, last = known[0], known[-1]
    if x <= first[0]:
        return first[1]
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(known):
        if x <= x0:
            break
        until = min(x, x1)
        there = y0 + (y1 - y0) * (until - x0) / (x1 - x0)
        area += (until - x0) * (y0 + there) / 2
    area += max(0.0, x - last[0]) * last[1]
    return area / (x - first[0])
