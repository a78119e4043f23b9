"""The points of a night for a moment that a request describes: which one its price moves to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.clock import start_of_day
from daybreak.models.arrays import to_names
from daybreak.models.base import Context, Day, Float32
from daybreak.models.pricing.layout import (
    BELOW_ABOVE,
    CURRENCY,
    DECIMALS,
    OBJECTIVE,
    RECORDS,
    RULES,
    TIMEZONE,
)
from daybreak.prices.form import MILLION
from daybreak.prices.rules import Rules

COMPETITOR, STOCK, DEMAND = SIGNALS = ("competitor_price", "stock", "demand")
"""What a request may say, as its fields."""


def rules_of_day(day: Day) -> Rules:
    """The rules that a snapshot was made with."""
    (text,) = to_names(day.context[RULES])
    return Rules.from_json(text)


@dataclass(frozen=True)
class Terms:
    """What all prices of a night have in common.

    ``below``, ``above``: millionths of what a competitor asks; -1: no bound. ``valid_on``: the day
    of the prices, one of ``timezone``; it ``begins`` and ``ends`` in UTC.
    """

    currency: str
    decimals: int
    objective: str
    below: int
    above: int
    valid_on: date
    timezone: str
    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, context: Context, business_date: date) -> Terms:
        """As the context of a snapshot has them."""
        below, above = context[BELOW_ABOVE].tolist()
        first, timezone = business_date + timedelta(days=1), str(context[TIMEZONE][0])
        return cls(
            str(context[CURRENCY][0]),
            int(context[DECIMALS][0]),
            str(context[OBJECTIVE][0]),
            below,
            above,
            first,
            timezone,
            start_of_day(first, timezone),
            start_of_day(first + timedelta(days=1), timezone),
        )


@dataclass(frozen=True)
class Moments:
    """What m questions say of their moments, beside the points of the night.

    ``records`` float32 (t, R): of all entities, as ``layout.RECORDS``. Float32 (m,) each:
    ``demand``, 1 where a question says nothing; ``stock``, infinite there; ``competitor``, NaN.
    ``known_stock``: of it, what was known before, as of who says nothing but how much sells.
    """

    records: Float32
    demand: Float32
    stock: Float32
    known_stock: Float32
    competitor: Float32
    terms: Terms

    @classmethod
    def of(
        cls,
        records: Float32,
        said: Mapping[str, Float32],
        terms: Terms,
        known_stock: Float32 | None = None,
    ) -> Moments:
        """``said``: by name of ``SIGNALS``, NaN where nothing is; so ``known_stock``."""
        demand, stock = said[DEMAND], said[STOCK]
        known = np.full_like(stock, np.nan) if known_stock is None else known_stock
        stock, known = (np.where(np.isnan(s), np.float32(np.inf), s) for s in (stock, known))
        return cls(
            records,
            np.where(np.isnan(demand), np.float32(1), demand),
            np.minimum(stock, known),
            known,
            said[COMPETITOR],
            terms,
        )

    def at(self, record: NDArray[np.int64]) -> dict[str, Float32]:
        """One record a question (m,), with what it says of demand and stock."""
        found = {name: self.records[record, place] for place, name in enumerate(RECORDS)}
        for name in RECORDS[1:]:
            found[name] = np.minimum(found[name] * self.demand, self.stock)
        return found

    def moved(
        self, question: int, points: NDArray[np.int64], published: int, cost: np.float32
    ) -> int:
        """The record that a question moves the published one to. ``points``: those of the ladder
        that the night left, by price.

        It moves by as many points as the best point moves by what the question says: what the
        night held back, for other prices' sake, is held back still. Then it goes to the nearest
        point within the corridor around the competitor's price, if there is one.
        """
        if not len(points):
            return published
        price = self.records[points, 0]
        target = self._shifted(question, points, published, cost)
        within = self.within(question, price)
        if self.within(question, self.records[[target], 0])[0] or not within.any():
            return target
        away = np.abs(price - self.records[target, 0])
        return int(points[np.argmin(np.where(within, away, np.float32(np.inf)))])

    def within(self, question: int, price: Float32) -> NDArray[np.bool_]:
        """Which prices are in the corridor around the competitor's, in whole numbers."""
        found = np.ones(len(price), bool)
        if np.isnan(self.competitor[question]):
            return found
        asked, competitor = price.astype(np.int64) * MILLION, int(self.competitor[question])
        if self.terms.below >= 0:
            found &= asked >= competitor * (MILLION - self.terms.below)
        if self.terms.above >= 0:
            found &= asked <= competitor * (MILLION + self.terms.above)
        return found

    def _shifted(
        self, question: int, points: NDArray[np.int64], published: int, cost: np.float32
    ) -> int:
        price, expected = self.records[points, 0], self.records[points, 1]
        usual = np.minimum(expected, self.known_stock[question])
        units = np.minimum(expected * self.demand[question], self.stock[question])
        before, after = self._value(price, usual, cost), self._value(price, units, cost)
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            return published
        step = int(np.argmax(after)) - int(np.argmax(before))
        if step == 0:
            return published
        # It never moves down: less stock is sold at more. A price off the ladder lies between two
        # points, and the first step leads to the next one.
        at = int(np.searchsorted(price, self.records[published, 0], "right")) - 1
        return int(points[min(max(at + step, 0), len(points) - 1)])

    def _value(self, price: Float32, units: Float32, cost: np.float32) -> Float32:
        if self.terms.objective == "margin":
            price = price - cost
        elif self.terms.objective != "revenue":
            return units
        value: Float32 = price * units
        return value
