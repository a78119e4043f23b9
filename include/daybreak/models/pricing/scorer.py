"""The price of an item in a store: what the night chose, or the best of its points for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.ledger.verdicts import BASELINE
from daybreak.models import baselines
from daybreak.models.base import (
    Answers,
    Day,
    Float32,
    Given,
    Moment,
    Questions,
    Remarks,
    Source,
)
from daybreak.models.pricing.choice.rails import Rule
from daybreak.models.pricing.choice.stop import Stop
from daybreak.models.pricing.formulas import FORMULAS
from daybreak.models.pricing.judged import as_text
from daybreak.models.pricing.layout import DAYS, VALUES
from daybreak.models.pricing.live.moves import FOREVER, PriceMoves
from daybreak.models.pricing.live.profile import Profile
from daybreak.models.pricing.moment import SIGNALS, Moments, Terms, rules_of_day
from daybreak.models.pricing.words import in_words, label
from daybreak.registry.artifact import Artifact

CHANGES = "changes"
"""The term that caps how many prices change."""


class PricingScorer:
    """Implements ``Scorer``. Whatever it is told of a moment, the price is one of the points that
    the night's rules left."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        self.keeps = artifact.manifest.get(BASELINE) is not None
        if self.keeps:
            baselines.of_manifest(artifact.manifest, FORMULAS)
        self.most = 0.0 if self.keeps else float(day.terms.get(CHANGES, np.inf))
        if day.business_date is None:
            raise ValueError("a price is of a night")
        self.terms = Terms.of(day.context, day.business_date)
        self._moves = None if self.keeps else self._moving(day)

    def _moving(self, day: Day) -> PriceMoves | None:
        rules = rules_of_day(day)
        if rules.live is None:
            return None
        profile = Profile.of_context(day.context)
        return PriceMoves(rules, rules.live, self.terms, profile, self.most)

    @property
    def moves(self) -> PriceMoves | None:
        """What streams move during the day; None where the rules let them move nothing."""
        return self._moves

    def rows(self, given: Given, questions: Questions) -> PriceRows:
        """One row a question."""
        entities = given.entities
        if entities.offsets is None:
            raise ValueError("a price has the points that the night left")
        values = entities.values[questions.entity]
        column = {name: values[:, place] for place, name in enumerate(VALUES)}
        first, last = (entities.offsets[questions.entity + end] for end in (0, 1))
        agreed = np.where(column["place"] <= self.most, column["chosen"], np.float32(0))
        published = first + agreed.astype(np.int64)
        said = {name: questions.number(name) for name in SIGNALS}
        asked = np.any([~np.isnan(one) for one in said.values()], axis=0)
        slots = _slots(given, questions, asked)
        moving = {n: slot.found for n, slot in slots.items() if slot.found is not None}
        for question, found in moving.items():
            for name in SIGNALS:
                said[name][question] = found.said[name]
        moments = Moments.of(entities.records, said, self.terms)
        # What moves together does not move for one question; a baseline keeps every price.
        free = (column["grouped"] == 0) & (not self.keeps)
        chosen = published.copy()
        for question in np.flatnonzero(asked & free).tolist():
            chosen[question] = moments.moved(
                question,
                np.arange(first[question] + 1, last[question]),
                int(published[question]),
                column["cost"][question],
            )
        for question, found in moving.items():
            chosen[question] = first[question] + found.record
        keys = tuple(names[questions.entity] for names in entities.keys)
        return PriceRows(keys, column, moments, first, published, chosen, asked, slots)


@dataclass(frozen=True)
class PriceRows:
    """Implements ``ScoringRows``, one row a question: arrays (m,).

    ``first``, ``published``, ``chosen``: records of the current price, of the published one and of
    the answer. ``asked``: whether it has words of its own. ``slots``: by question without them,
    what streams say of this moment, where they may move anything.
    """

    keys: tuple[NDArray[np.object_], ...]
    column: Mapping[str, Float32]
    moments: Moments
    first: NDArray[np.int64]
    published: NDArray[np.int64]
    chosen: NDArray[np.int64]
    asked: NDArray[np.bool_]
    slots: Mapping[int, Moment]

    @property
    def features(self) -> Float32:
        """None: the curve was taken by the night."""
        return np.empty((len(self.chosen), 0), np.float32)

    @property
    def rule(self) -> Float32:
        """What keeps each price from going further, or lets it stay: also that a person agreed to
        fewer changes."""
        capped = (self.published == self.first) & (self.column["chosen"] > 0)
        return np.where(capped, np.float32(Rule.CHANGES_A_NIGHT), self.column["rule"])

    def answers(self, margins: Float32) -> Answers:
        """The price and what is expected at it."""
        column = self.column
        chosen, now = (self.moments.at(place) for place in (self.chosen, self.first))
        cost = np.nan_to_num(column["cost"], nan=0.0)
        stays = self.chosen == self.first
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
            "gap": column["gap"],
            "place": np.where(stays, np.float32(0), column["place"]),
        }
        between = column["conflict_1"], column["conflict_2"]
        texts = {
            "rule": _labels(self.rule, between),
            "lowest_rule": _labels(column["low_rule"]),
            "highest_rule": _labels(column["high_rule"]),
            "stopped": _stops(column["stop"]),
            "judged_by": as_text(np.column_stack([column[name] for name in DAYS])),
        }
        store, item = self.keys
        return Answers({"store_id": store, "item_id": item, **numbers, **texts})

    def remarks(self, question: int) -> Remarks:
        """``published``; ``live`` where streams moved it; or ``what_if``."""
        terms, slot = self.moments.terms, self.slots.get(question)
        ends = slot.slot.ends if slot else terms.ends
        holds = not self.asked[question] and ends != FOREVER
        notes = {
            "currency": terms.currency,
            "decimals": terms.decimals,
            "valid_on": terms.valid_on.isoformat(),
            "valid_until": ends.isoformat() if holds else None,
            "stale": slot is not None and slot.stale,
            "reasons": self._reasons(question),
        }
        return Remarks(self._source(question), notes)

    def _source(self, question: int) -> Source:
        if self.asked[question]:
            return "what_if"
        before, after = (self._price(one[question]) for one in (self.published, self.chosen))
        return "published" if before == after else "live"

    def _reasons(self, question: int) -> list[str]:
        before, after = (self._price(one[question]) for one in (self.published, self.chosen))
        found = []
        who = "What the request says" if self.asked[question] else "What is known of this moment"
        if before != after:
            found.append(f"{who} moves it " + ("up." if after > before else "down."))
        elif self.asked[question]:
            found.append(f"{who} does not move it.")
        if self.asked[question]:
            found.append("It is a what-if: nobody else gets this price.")
        if not self.moments.within(question, np.array([after]))[0]:
            found.append("No price of the night is in the corridor around the competitor's.")
        rule = Rule(int(self.rule[question]))
        if rule and before == after:
            stays = self.chosen[question] == self.first[question]
            found.append(("It stays: " if stays else "It goes no further: ") + in_words(rule) + ".")
        return found

    def _price(self, record: np.int64) -> np.float32:
        price: np.float32 = self.moments.records[record, 0]
        return price


def _stops(codes: Float32) -> NDArray[np.object_]:
    """By name."""
    names = np.array([stop.label for stop in Stop], object)
    found: NDArray[np.object_] = names[codes.astype(np.int64)]
    return found


def _slots(given: Given, questions: Questions, asked: NDArray[np.bool_]) -> dict[int, Moment]:
    """Of the questions without words of their own what is given of this moment."""
    if given.moments is None:
        return {}
    found = [given.moments[entity] for entity in questions.entity.tolist()]
    return {n: one for n, one in enumerate(found) if one is not None and not asked[n]}


def _labels(codes: Float32, between: Sequence[Float32] = ()) -> NDArray[np.object_]:
    """Rules by name; of two that leave nothing ``between`` them both names."""
    names: dict[float, Any] = {code: label(code) for code in np.unique(codes).tolist()}
    found = np.array([names[code] for code in codes.tolist()], object)
    if between:
        first, second = between
        for row in np.flatnonzero((first > 0) & (codes > 0)).tolist():
            found[row] = f"{label(first[row])} and {label(second[row])}"
    return found
