"""The price of an item in a store: what the night chose, or the best of its points for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.ledger.verdicts import BASELINE
from daybreak.models import baselines
from daybreak.models.base import Answers, Context, Day, Float32, Given, Questions, Remarks
from daybreak.models.pricing.formulas import FORMULAS
from daybreak.models.pricing.layout import (
    BELOW_ABOVE,
    CURRENCY,
    DECIMALS,
    OBJECTIVE,
    RECORDS,
    VALUES,
)
from daybreak.models.pricing.rails import Rule
from daybreak.models.pricing.words import in_words, label
from daybreak.prices.form import MILLION
from daybreak.registry.artifact import Artifact

CHANGES = "changes"
"""The term that caps how many prices change."""
SIGNALS = ("competitor_price", "stock", "demand")


class PricingScorer:
    """Implements ``Scorer``. Whatever it is told of a moment, the price is one of the points that
    the night's rules left."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        keeps = artifact.manifest.get(BASELINE) is not None
        if keeps:
            baselines.of_manifest(artifact.manifest, FORMULAS)
        self.most = 0.0 if keeps else float(day.terms.get(CHANGES, np.inf))
        if day.business_date is None:
            raise ValueError("a price is of a night")
        self.context = _Context.of(day.context, day.business_date)

    def rows(self, given: Given, questions: Questions) -> PriceRows:
        """One row a question."""
        entities = given.entities
        if entities.offsets is None:
            raise ValueError("a price has the points that the night left")
        values = entities.values[questions.entity]
        column = {name: values[:, place] for place, name in enumerate(VALUES)}
        first = entities.offsets[questions.entity]
        agreed = np.where(column["place"] <= self.most, column["chosen"], np.float32(0))
        said = {name: questions.number(name) for name in SIGNALS}
        points = _Points(
            entities.records,
            np.where(np.isnan(said["demand"]), np.float32(1), said["demand"]),
            np.where(np.isnan(said["stock"]), np.float32(np.inf), said["stock"]),
            self.context,
        )
        asked = np.any([~np.isnan(one) for one in said.values()], axis=0)
        free = column["grouped"] == 0  # what moves together does not move for one question
        published = first + agreed.astype(np.int64)
        chosen = published.copy()
        for question in np.flatnonzero(asked & free).tolist():
            there = np.arange(first[question], entities.offsets[questions.entity[question] + 1])
            chosen[question] = points.moved(
                question,
                there,
                int(published[question]),
                cost=column["cost"][question],
                competitor=said["competitor_price"][question],
            )
        keys = tuple(names[questions.entity] for names in entities.keys)
        return PriceRows(keys, column, points, first, published, chosen, asked)


@dataclass(frozen=True)
class _Context:
    """``below``, ``above``: millionths of what a competitor asks; -1: no bound. ``valid_on``: the
    day of the prices, ISO 8601."""

    currency: str
    decimals: int
    objective: str
    below: int
    above: int
    valid_on: str

    @classmethod
    def of(cls, context: Context, day: date) -> _Context:
        below, above = context[BELOW_ABOVE].tolist()
        return cls(
            str(context[CURRENCY][0]),
            int(context[DECIMALS][0]),
            str(context[OBJECTIVE][0]),
            below,
            above,
            (day + timedelta(days=1)).isoformat(),
        )


@dataclass(frozen=True)
class _Points:
    """The points of the night for what questions say of this moment.

    ``records`` float32 (t, R): of all entities, as ``layout.RECORDS``. ``demand``, ``stock``
    float32 (m,): of each question; 1 and infinite where it says nothing.
    """

    records: Float32
    demand: Float32
    stock: Float32
    context: _Context

    def at(self, record: NDArray[np.int64]) -> dict[str, Float32]:
        """One record a question (m,), with what it says of demand and stock."""
        found = {name: self.records[record, place] for place, name in enumerate(RECORDS)}
        for name in RECORDS[1:]:
            found[name] = np.minimum(found[name] * self.demand, self.stock)
        return found

    def moved(
        self,
        question: int,
        there: NDArray[np.int64],
        published: int,
        *,
        cost: np.float32,
        competitor: np.float32,
    ) -> int:
        """The record of ``there`` that a question moves the published one to.

        It moves by as many points as the best point moves by what the question says: what the
        night held back, for other prices' sake, is held back still. Then it goes to the nearest
        point within the corridor around the competitor's price, if there is one.
        """
        points = there[1:][np.argsort(self.records[there[1:], 0], kind="stable")]
        if not len(points):
            return published
        price, usual = self.records[points, 0], self.records[points, 1]
        units = np.minimum(usual * self.demand[question], self.stock[question])
        before, after = self._value(price, usual, cost), self._value(price, units, cost)
        target = published
        if np.isfinite(before).all() and np.isfinite(after).all():
            step = int(np.argmax(after)) - int(np.argmax(before))
            if step:
                at = int(np.searchsorted(price, self.records[published, 0]))
                target = int(points[min(max(at + step, 0), len(points) - 1)])
        if np.isnan(competitor):
            return target
        within = self._within(price, int(competitor))
        if self._within(self.records[[target], 0], int(competitor))[0] or not within.any():
            return target
        away = np.abs(price - self.records[target, 0])
        return int(points[np.argmin(np.where(within, away, np.float32(np.inf)))])

    def _value(self, price: Float32, units: Float32, cost: np.float32) -> Float32:
        if self.context.objective == "margin":
            price = price - cost
        elif self.context.objective != "revenue":
            return units
        value: Float32 = price * units
        return value

    def _within(self, price: Float32, competitor: int) -> NDArray[np.bool_]:
        """Which prices are in the corridor around a competitor's, in whole numbers."""
        asked = price.astype(np.int64) * MILLION
        below, above = self.context.below, self.context.above
        found = np.ones(len(price), bool)
        if below >= 0:
            found &= asked >= competitor * (MILLION - below)
        if above >= 0:
            found &= asked <= competitor * (MILLION + above)
        return found


@dataclass(frozen=True)
class PriceRows:
    """Implements ``ScoringRows``, one row a question: arrays (m,).

    ``first``, ``published``, ``chosen``: records of the current price, of the published one and of
    the answer. ``asked``: whether it says something of this moment.
    """

    keys: tuple[NDArray[np.object_], ...]
    column: Mapping[str, Float32]
    points: _Points
    first: NDArray[np.int64]
    published: NDArray[np.int64]
    chosen: NDArray[np.int64]
    asked: NDArray[np.bool_]

    @property
    def features(self) -> Float32:
        """None: the curve was taken by the night."""
        return np.empty((len(self.chosen), 0), np.float32)

    def answers(self, margins: Float32) -> Answers:
        """The price and what is expected at it."""
        column = self.column
        chosen, now = (self.points.at(place) for place in (self.chosen, self.first))
        cost = np.nan_to_num(column["cost"], nan=0.0)
        stays = self.chosen == self.first
        capped = stays & (column["chosen"] > 0) & ~self.asked
        numbers = {
            "current_price": now["price"],
            "price": chosen["price"],
            "lowest_price": column["lowest"],
            "highest_price": column["highest"],
            "current_units": now["units"],
            "units": chosen["units"],
            "units_p10": chosen["units_p10"],
            "units_p90": chosen["units_p90"],
            "current_margin": (now["price"] - cost) * now["units"],
            "margin": (chosen["price"] - cost) * chosen["units"],
            "elasticity": column["elasticity"],
            "elasticity_low": column["elasticity_low"],
            "elasticity_high": column["elasticity_high"],
            "place": np.where(stays, np.float32(0), column["place"]),
        }
        between = column["conflict_1"], column["conflict_2"]
        texts = {
            "rule": _labels(
                np.where(capped, np.float32(Rule.CHANGES_A_NIGHT), column["rule"]), between
            ),
            "lowest_rule": _labels(column["low_rule"]),
            "highest_rule": _labels(column["high_rule"]),
        }
        store, item = self.keys
        return Answers({"store_id": store, "item_id": item, **numbers, **texts})

    def remarks(self, question: int) -> Remarks:
        """``published`` without signals; else ``live``, with what the moment made of it."""
        context = self.points.context
        notes = {
            "currency": context.currency,
            "decimals": context.decimals,
            "valid_on": context.valid_on,
            "reasons": self._reasons(question),
        }
        return Remarks("live" if self.asked[question] else "published", notes)

    def _reasons(self, question: int) -> list[str]:
        before, after = (self._price(one[question]) for one in (self.published, self.chosen))
        if before != after:
            return ["What the request says moves it " + ("up." if after > before else "down.")]
        stays = self.chosen[question] == self.first[question]
        found = ["What the request says does not move it."] if self.asked[question] else []
        if rule := Rule(int(self.column["rule"][question])):
            found.append(("It stays: " if stays else "It goes no further: ") + in_words(rule) + ".")
        return found

    def _price(self, record: np.int64) -> np.float32:
        price: np.float32 = self.points.records[record, 0]
        return price


def _labels(codes: Float32, between: Sequence[Float32] = ()) -> NDArray[np.object_]:
    """Rules by name; of two that leave nothing ``between`` them both names."""
    names: dict[float, Any] = {code: label(code) for code in np.unique(codes).tolist()}
    found = np.array([names[code] for code in codes.tolist()], object)
    if between:
        first, second = between
        for row in np.flatnonzero((first > 0) & (codes > 0)).tolist():
            found[row] = f"{label(first[row])} and {label(second[row])}"
    return found
