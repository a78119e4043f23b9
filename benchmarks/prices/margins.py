"""What proposals earn where the true demand is known, beside the best prices under the same rules.

The best prices are the night's own: the same rails and the same choice, asked with the planted
demand in place of the forecast and of the estimated responses. One of the two put right alone says
what the other one costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from benchmarks.prices.shops import PRICES, Priced
from daybreak.clock import AsOf
from daybreak.facts.scores import read_scores
from daybreak.facts.series import read_panels
from daybreak.ledger.champions import champion_at
from daybreak.models.pricing.choice.offers import Offers
from daybreak.models.pricing.demand import Demand
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.forecast import read_forecast
from daybreak.models.pricing.inputs import Inputs, part_of
from daybreak.models.pricing.layout import VALUES
from daybreak.models.pricing.night import Interval, decide
from daybreak.models.pricing.response import periods, responses
from daybreak.models.pricing.tables import scores
from daybreak.prices.rulebook import read_book
from daybreak.sources.synthetic import Truth, units_at
from daybreak.warehouse.engine import connect

Floats = NDArray[np.float64]
CENTS = 100


@dataclass(frozen=True)
class Judge:
    """n series of a night, in key order, and what they sell at any price in its days.

    ``place`` int64 (n,): of each in the truth. ``free`` (n, D): days whose price may change.
    ``cost`` float64 (n,), in the currency.
    """

    truth: Truth
    place: NDArray[np.int64]
    days: list[date]
    free: NDArray[np.bool_]
    cost: Floats

    def margin(self, cents: Floats) -> Floats:
        """Expected margin of all days at prices (n,): float64 (n,), in the currency.

        What is promised on days that are not free is sold at its own price.
        """
        found = np.zeros(len(self.place))
        for column, day in enumerate(self.days):
            planned = self.truth.price[:, self.truth.column(day)]
            price = planned.copy()
            price[self.place] = np.where(self.free[:, column], cents / CENTS, planned[self.place])
            sold = units_at(self.truth, day, price)[self.place]
            found += (price[self.place] - self.cost) * sold
        return found


def measure(priced: Priced) -> dict[str, Any]:
    """Margins of the prices that are kept, published and best, and where the rest is lost."""
    with connect(priced.runtime.engine) as conn:
        night = _Night.of(conn, priced)
        proposals = _published(conn, priced.as_of)
    published = proposals["price"]
    true, estimated = night.true_demand, night.estimated
    choices = {
        "kept": night.now,
        "published": published,
        "best": night.prices(true),
        "true responses": night.prices(replace(estimated, elasticity=true.elasticity)),
        "true levels": night.prices(replace(true, elasticity=estimated.elasticity)),
    }
    if not np.array_equal(night.prices(estimated), published):
        raise AssertionError("the night makes other prices of what it knew than it published")
    earned = {name: float(night.judge.margin(cents).sum()) for name, cents in choices.items()}
    kept, best = earned["kept"], earned["best"]
    return {
        "prices": len(published),
        "changed": float(np.mean(published != night.now)),
        "changed_by_the_best": float(np.mean(choices["best"] != night.now)),
        "alike": float(np.mean(choices["best"] == published)),
        "margin": earned,
        "over_kept": earned["published"] / kept - 1,
        "of_best": earned["published"] / best,
        "of_gain": {
            name: (earned[name] - kept) / (best - kept)
            for name in ("published", "true responses", "true levels")
        },
        "expected_over_kept": (proposals["margin"] - proposals["current_margin"]).sum()
        / CENTS
        / kept,
    }


@dataclass(frozen=True)
class _Night:
    """One night made again: what it knew, and what is true."""

    inputs: Inputs
    offers: Offers
    interval: Interval
    estimated: Demand
    true_demand: Demand
    judge: Judge

    @classmethod
    def of(cls, conn: Connection, priced: Priced) -> _Night:
        as_of, truth = priced.as_of, priced.made.truth
        forecast = read_forecast(conn, as_of)
        series = list(zip(*(names.tolist() for names in forecast.keys), strict=True))
        part = part_of(read_panels(conn, as_of, series, days=periods(1)))
        inputs = Inputs(forecast, [part], *read_book(conn, as_of.cutoff))
        offers = inputs.offers(conn, as_of)
        estimates = responses([part], _hyper(conn, priced)).series
        nothing_goes = np.zeros(len(offers), bool)
        estimated = inputs.demand(offers, estimates, nothing_goes)
        place = _places(truth, series)
        days = forecast.target.astype("M8[D]").tolist()
        judged = inputs.rules.days
        judge = Judge(
            truth,
            place,
            days[:judged],
            estimated.free[:, :judged],
            offers.cost / CENTS,
        )
        return cls(
            inputs,
            offers,
            Interval(estimates.low, estimates.high),
            estimated,
            _true(truth, place, estimated, days),
            judge,
        )

    @property
    def now(self) -> Floats:
        """The prices in force (n,), in cents."""
        return self.offers.price.astype(np.float64)

    def prices(self, demand: Demand) -> Floats:
        """What the night chooses where ``demand`` is known, (n,), in cents."""
        spent = np.zeros(len(self.offers), bool)
        night = decide(self.offers, demand, self.interval, self.inputs.rules, spent=spent)
        chosen = night.values[:, VALUES.index("chosen")].astype(np.int64)
        return night.records[night.offsets[:-1] + chosen, 0].astype(np.float64)


def _hyper(conn: Connection, priced: Priced) -> Hyper:
    """The variances of the version in force."""
    version = champion_at(conn, PRICES, priced.as_of.cutoff)
    return Hyper.of(priced.runtime.registry.load(PRICES, version).manifest["options"])


def _places(truth: Truth, series: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    known = zip(truth.store_ids.tolist(), truth.item_ids.tolist(), strict=True)
    place = {key: number for number, key in enumerate(known)}
    return np.array([place[key] for key in series], np.int64)


def _true(
    truth: Truth, place: NDArray[np.int64], estimated: Demand, days: Sequence[date]
) -> Demand:
    """What is sold at the planned prices, and how it truly answers to others."""
    columns = [truth.column(day) for day in days]
    units = np.repeat(truth.rate[np.ix_(place, columns)][:, :, None], 3, axis=2)
    return replace(estimated, units=units, elasticity=truth.catalogue.elasticity[truth.item[place]])


def _published(conn: Connection, as_of: AsOf) -> dict[str, Floats]:
    """The published proposals, in key order: prices and margins in cents."""
    names = "price", "current_margin", "margin"
    columns = read_scores(conn, PRICES, scores, as_of, names).columns
    return {name: columns[name].astype(np.float64) for name in names}
