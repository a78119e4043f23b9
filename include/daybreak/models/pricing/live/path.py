"""The way of a price through the slots of a day: a function of what was known at each of them.

Nothing else enters, whoever asks and whenever: so all workers find the same way, and a later slot
only adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from daybreak.models.base import Float32
from daybreak.models.pricing.live.feeds import Facts
from daybreak.models.pricing.live.signals import competitors_by, demand, units_by
from daybreak.models.pricing.moment import COMPETITOR, DEMAND, STOCK, Moments, Terms
from daybreak.prices.rules import Rules


@dataclass(frozen=True)
class Slots:
    """Some slots of a day, in order. ``begins``: when. ``known_by``: their prices know nothing
    later. ``shares``: of the day's units, those that usually came by then; None: nobody knows."""

    begins: Sequence[datetime]
    known_by: Sequence[datetime]
    shares: Sequence[float] | None


@dataclass(frozen=True)
class Price:
    """What the night left of one price. ``values``: by name of `layout.VALUES`. ``records``:
    float32 (w, R). ``published``: which of them it is."""

    values: Mapping[str, float]
    records: Float32
    published: int

    def amount(self, record: int) -> int:
        """Minor units of a record."""
        return int(self.records[record, 0])

    def said(self, known: float | None, asked: int | None) -> dict[str, float]:
        """What is known of a moment, as a request would say it; NaN where nothing is."""
        return {
            COMPETITOR: math.nan if asked is None else float(asked),
            STOCK: math.nan if known is None else self.values["stock"],
            DEMAND: math.nan if known is None else known,
        }


@dataclass(frozen=True)
class Change:
    """A price that came into force with a slot, and what moved it. Money in minor units."""

    slot_at: datetime
    price: int
    published: int
    demand: float | None
    units: float | None
    expected: float | None
    competitor: int | None
    known_by: datetime


@dataclass(frozen=True)
class Way:
    """``record``: which one is in force in the last slot. ``demand``, ``competitor``: what is known
    there; None: nothing. ``changes``: up to it."""

    record: int
    demand: float | None
    competitor: int | None
    changes: tuple[Change, ...]


def way_of(price: Price, facts: Facts, slots: Slots, rules: Rules, terms: Terms) -> Way:
    """The way through ``slots``: from the published price on, back to it where nothing is known.

    Of the changes of a day the last one is left for the way back. Raises ``ValueError`` for rules
    by which no price moves.
    """
    if rules.live is None:
        raise ValueError("by these rules no price moves during the day")
    most = rules.live.changes_a_day
    seen = _Seen(price, facts, slots, rules)
    at, changes = price.published, list[Change]()
    asked: int | None = None
    known: float | None = None
    for number, begins in enumerate(slots.begins):
        known, asked = seen.at(number, at)
        target = _target(price, known, asked, terms)
        if price.amount(target) == price.amount(at):
            continue
        home = price.amount(target) == price.amount(price.published)
        if len(changes) + (1 if home else 2) > most:
            continue
        at = price.published if home else target
        units, expected = (seen.units[number], seen.expected) if known is not None else (None,) * 2
        changes.append(
            Change(
                begins,
                price.amount(at),
                price.amount(price.published),
                known,
                units,
                expected,
                asked,
                slots.known_by[number],
            )
        )
    return Way(at, known, asked, tuple(changes))


class _Seen:
    """Signals, slot by slot. ``expected``: units by now, at the prices that were in force."""

    def __init__(self, price: Price, facts: Facts, slots: Slots, rules: Rules) -> None:
        self._price, self._slots, self._fresh = price, slots, facts.fresh
        self.units = units_by(facts.sales, slots.known_by, facts.scale)
        self._asked: Sequence[int | None] = [None] * len(slots.begins)
        if rules.live and rules.live.competitors and rules.competitor:
            newest, of = rules.live.competitors.newest, rules.competitor.of
            self._asked = competitors_by(facts.asked, slots.known_by, newest, of)
        self.expected = 0.0
        self._share = 0.0
        self._a_day = self._at(price.published)

    def at(self, number: int, record: int) -> tuple[float | None, int | None]:
        """Demand and the competitor's price at a slot before which ``record`` was in force."""
        found: float | None = None
        if self._a_day is not None and self._slots.shares is not None:
            # Clocks may go back, and what was expected by then stays.
            share = max(self._share, self._slots.shares[number])
            a_day = self._a_day if number == 0 else self._at(record)
            self.expected += (a_day or 0.0) * (share - self._share)
            self._share = share
            if number in self._fresh:
                prior = self._price.values["prior"]
                # As float32, as requests have it and the table keeps it.
                found = float(np.float32(demand(self.units[number], self.expected, prior)))
        return found, self._asked[number]

    def _at(self, record: int) -> float | None:
        """Units that are expected of the whole day at a price; None where nobody knows."""
        expected, usual = self._price.values["expected"], float(self._price.records[0, 1])
        if math.isnan(expected) or not usual > 0:
            return None
        return expected * (float(self._price.records[record, 1]) / usual)


def _target(price: Price, known: float | None, asked: int | None, terms: Terms) -> int:
    """The record that signals move the published one to."""
    if known is None and asked is None:
        return price.published
    said = {n: np.array([v], np.float32) for n, v in price.said(known, asked).items()}
    # The night knew the stock: what moves a price is that more or less sells than it expected.
    moments = Moments.of(price.records, said, terms, known_stock=said[STOCK])
    points = np.arange(1, len(price.records))
    return moments.moved(0, points, price.published, np.float32(price.values["cost"]))
