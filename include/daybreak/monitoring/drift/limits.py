"""When a distance is an alarm: by what is usual of the same thing, and with hysteresis.

No number fits all: the population stability index of a hundred rows is 0.2 by chance, that of a
million moves by 0.001, and a column that follows leaflets jumps every other week. So a limit is
made of what the same distance was on earlier nights, of what chance alone gives, and of a floor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

NIGHTS = 2
"""One after the other have to be above the limit: a day on which shops are shut is no drift."""

LEAST_USUAL = 14
"""Nights from which on something is usual."""

MOST_USUAL = 56

LEAST_PSI = 0.05
"""Below that nothing is worth a word, however calm it was. The usual rule of thumb begins to look
at 0.1 (Siddiqi, Credit Risk Scorecards, 2006); scores that all move by a quarter of their usual
level have 0.06, as levels differ by much more than that."""

TIMES_USUAL = 3.0
TIMES_NOISE = 2.0
CHANCE = 1 / 365
"""Of the numbers of a night that are no distributions together: the probability that one is in
alarm by chance. Once a year."""

EFFICIENCY = 0.37
"""Of the median of absolute deviations, beside a standard deviation: what it finds from n nights is
as sure as what that does from 0.37 n (Huber and Ronchetti, Robust Statistics, 2009)."""

CLEARED_AT = 0.5
"""Of the limit. In between an alarm stays as it is."""

MOST_OF_ONE = 1.25
"""Times the limit that one of two nights counts for, so that the other has to be at three quarters
of it: how far an odd night is says nothing of the next one."""

FAR = 2.0
"""Times the limit of a value, at which it is an alarm at once: more than five standard
deviations."""

LEAST_MISSING = 0.05
"""So much more of the values than usual are missing: a distance hides it where values move much."""

MOSTLY_NEW = 0.5
"""An alarm at once: so much more of the values than before are outside of all that was seen."""


class State(StrEnum):
    """What a night says of one name. ``over``: above the limit, and not for long enough."""

    QUIET = "quiet"
    OVER = "over"
    ALARM = "alarm"


@dataclass(frozen=True)
class Limits:
    """An alarm is raised above ``raise_at``, and cleared below ``clear_at``."""

    raise_at: float

    @property
    def clear_at(self) -> float:
        """Part of ``raise_at``."""
        return CLEARED_AT * self.raise_at


def limits_of_psi(usual: Sequence[float], noise: float) -> Limits | None:
    """By the distances of earlier nights, the newest ``MOST_USUAL``, and what chance gives; None
    while nothing is usual.

    The second largest counts: one night that was odd, and passed, says nothing of what is usual.
    """
    if len(usual) < LEAST_USUAL:
        return None
    return Limits(max(LEAST_PSI, TIMES_USUAL * sorted(usual)[-2], TIMES_NOISE * noise))


def limits_of_value(
    usual: Sequence[float], of_weekday: Sequence[float], least: float, watched: int
) -> Limits | None:
    """Of a value that is no distribution, by its distances on earlier nights; ``least``: what is
    worth a word; ``watched``: how many such numbers a night has. None while nothing is usual.

    ``of_weekday``: those of the same weekday, if they are larger: on a day on which few stores are
    open, chance has more of a say.
    """
    if len(usual) < LEAST_USUAL:
        return None
    usually = max(float(np.median(usual)), float(np.median(of_weekday)) if of_weekday else 0.0)
    return Limits(max(least, deviations(watched, len(usual)) * 1.4826 * usually))


def deviations(watched: int, nights: int) -> float:
    """How many standard deviations off the mean of two nights is for one of ``watched`` numbers
    with the probability ``CHANCE``, where the deviation (the median of the absolute ones times
    1.4826) is known from so many ``nights``.

    Each number has its share of the chance, which holds however they hang together (Bonferroni;
    Dunn, «Multiple comparisons among means», JASA, 1961). By Student's t, as a deviation known from
    few nights may be too small; and over the root of two, by which a mean of two varies less.
    """
    freedom = max(EFFICIENCY * nights, 1.0)
    return float(stdtrit(freedom, 1 - CHANCE / watched / 2)) / math.sqrt(NIGHTS)


@dataclass(frozen=True)
class Sign:
    """What a night shows of one name.

    ``distance``: from earlier nights. ``one_value``: all values of the night are one. ``new``:
    how much more of the values than before are outside of all that training saw. ``missing``: how
    much more of them than usual are missing.
    """

    distance: float
    one_value: bool = False
    new: float = 0.0
    missing: float = 0.0

    def above(self, limits: Limits | None) -> bool:
        """Whether it is above the limit for an alarm."""
        if self.new >= MOSTLY_NEW or self.missing >= LEAST_MISSING:
            return True
        return limits is not None and self.distance > limits.raise_at

    @property
    def far_above(self) -> bool:
        """Whether one night is enough. The distance says nothing of that: on a day on which shops
        are shut, all that follows the last sale lies elsewhere."""
        return self.new >= MOSTLY_NEW and not self.one_value

    def below(self, limits: Limits | None) -> bool:
        """Whether it is below that at which an alarm is cleared."""
        if self.new >= CLEARED_AT * MOSTLY_NEW or self.missing >= CLEARED_AT * LEAST_MISSING:
            return False
        return limits is None or self.distance < limits.clear_at


def state_of(sign: Sign, limits: Limits | None, *, before: State | None, in_alarm: bool) -> State:
    """What this night says. ``limits``: None while nothing is usual. ``before``: what the night
    before said. ``in_alarm``: whether an alarm was raised and not cleared."""
    if in_alarm:
        return State.QUIET if sign.below(limits) else State.ALARM
    if not sign.above(limits):
        return State.QUIET
    again = before in {State.OVER, State.ALARM}
    return State.ALARM if again or sign.far_above else State.OVER


def state_of_value(ratio: float, before: float, *, in_alarm: bool, waits: bool) -> State:
    """What this night says of a number that is no distribution.

    ``ratio``: how far it is from what is usual, in multiples of its limit, with its sign.
    ``before``: the same of the night before, 0 where there was none. It is an alarm where the mean
    of both is beyond the limit and both go one way; each counts for ``MOST_OF_ONE`` at most.
    ``waits``: it is of a day beside a public holiday, on which who comes and who is open is chance,
    and which raises nothing.
    """
    if in_alarm:
        return State.QUIET if abs(ratio) < CLEARED_AT else State.ALARM
    one_way = ratio * before > 0
    lasting = one_way and min(abs(ratio), MOST_OF_ONE) + min(abs(before), MOST_OF_ONE) > NIGHTS
    if (abs(ratio) > FAR or lasting) and not waits:
        return State.ALARM
    return State.OVER if abs(ratio) > 1 else State.QUIET
