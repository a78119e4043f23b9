"""Signals in the slowest and clearest way: for each moment, a loop over all that there is.

Written from docs/signals.md alone, without a line of the package but the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from daybreak.signals.declared import Signal


@dataclass(frozen=True)
class Entry:
    """An event of the log. Times in microseconds, the day in days, both since 1970."""

    event_id: str
    at: int
    sequence: int
    known: int
    day: int
    keys: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A label of the log."""

    event_id: str
    fraud: bool
    sequence: int
    known: int


@dataclass(frozen=True)
class Moment:
    """What signals are asked of."""

    at: int
    sequence: int
    known: int
    day: int
    keys: Mapping[str, str]


def value_of(
    signal: Signal, moment: Moment, log: Sequence[Entry], said: Sequence[Said], scale: int
) -> np.float32:
    """The value of a signal at a moment."""
    key = moment.keys.get(signal.key)
    if key is None:
        return np.float32(np.nan)
    inside = [
        one
        for one in log
        if one.keys.get(signal.key) == key
        and one.known <= moment.known
        and (one.at, one.sequence) < (moment.at, moment.sequence)
        and _is_in_window(signal, moment, one)
    ]
    quotient = _quotient(signal, moment, inside, said, scale)
    if quotient is None:
        return np.float32(np.nan)
    # The nearest float64, then the nearest float32, as the contract has it.
    return np.float32(float(quotient))


def _is_in_window(signal: Signal, moment: Moment, one: Entry) -> bool:
    length, delay = signal.window.length, signal.window.delay
    if not signal.window.by_day:
        return one.at >= moment.at - int(length.total_seconds() * 1_000_000)
    oldest = moment.day - delay.days - length.days
    if delay:
        return oldest <= one.day < moment.day - delay.days
    return one.day >= oldest


def _quotient(
    signal: Signal, moment: Moment, inside: list[Entry], said: Sequence[Said], scale: int
) -> Fraction | None:
    amounts = [one.amounts[signal.of] for one in inside if signal.of in one.amounts]
    found: Fraction | None = None
    if signal.measure == "count":
        found = Fraction(len(inside))
    elif signal.measure == "distinct":
        found = Fraction(len({one.keys[signal.of] for one in inside if signal.of in one.keys}))
    elif signal.measure == "sum":
        found = Fraction(sum(amounts), scale)
    elif signal.measure == "since_last" and inside:
        found = Fraction(moment.at - max(one.at for one in inside), 1_000_000)
    elif signal.measure == "fraud_share" and inside:
        frauds = sum(_is_known_fraud(one, moment, said) for one in inside)
        found = Fraction(frauds, len(inside))
    elif signal.measure == "max" and amounts:
        found = Fraction(max(amounts), scale)
    elif signal.measure == "mean" and amounts:
        found = Fraction(sum(amounts), len(amounts) * scale)
    return found


def _is_known_fraud(one: Entry, moment: Moment, said: Sequence[Said]) -> bool:
    words = [
        (word.known, word.sequence, word.fraud)
        for word in said
        if word.event_id == one.event_id and word.known <= moment.known
    ]
    return bool(words) and max(words)[2]
