"""From measurements and terms to an advice: a pure function, the same for the same input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from daybreak.monitoring.advice.costs import SECONDS_A_DAY, Cost, Way, costs, own_inputs
from daybreak.monitoring.advice.measurements import HOURS_A_DAY, Measurements
from daybreak.monitoring.advice.terms import Terms

FEWEST, MOST = 1.0, 1e9
"""Requests a day between which a change of the advice is looked for."""
PER_DECADE = 16
LOSSES = (1e-9, 1e15)
"""The least that is tried, and how many times as much the most is."""
HALVINGS = 40
"""Until a change is known to 12 digits."""
ANY_NUMBER = " Whatever their number, it is the same."
BESIDE = 1e-6
CLEARLY = 0.8
"""Of the next best: closer than that, prices and traffic decide, and the advice says so."""


@dataclass(frozen=True)
class BreakEven:
    """At how many requests a day batch and live cost the same; ``requests`` is None where they
    never do. ``cheaper_below``, ``cheaper_above``: the way that is."""

    requests: float | None
    cheaper_below: Way
    cheaper_above: Way


@dataclass(frozen=True)
class Range:
    """From ``first`` to ``last`` requests a day ``way`` is the cheapest that is not ruled out."""

    first: float
    last: float
    way: Way
    cache_hours: float | None = None


@dataclass(frozen=True)
class Advice:
    """``way`` and ``cost`` are None where the number of requests would decide, and is unknown.

    ``costs``: of every way at ``requests``, in the order of ``Way``. ``ranges``: the advice by
    requests a day. ``break_even``: None where the model
    has no night, or decides about events. ``margin``: cost beside the
    next best, at most 1; None where there is no other. ``rule``: what decided. ``assumes``,
    ``changes``: sentences.
    """

    way: Way | None
    cost: Cost | None
    requests: float | None
    costs: tuple[Cost, ...]
    break_even: BreakEven | None
    ranges: tuple[Range, ...]
    margin: float | None
    rule: str
    assumes: tuple[str, ...]
    changes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The advice as people say it."""
        if self.costs and self.cost is None:
            return "no way is left"
        return said(self.way, self.cost.cache_hours if self.cost else None)


def said(way: Way | None, cache_hours: float | None) -> str:
    """A way as people say it."""
    if way is None:
        return "it depends on the number of requests"
    if way is not Way.CACHE:
        return way.value
    return "cache for 1 hour" if cache_hours == 1 else f"cache for {cache_hours:g} hours"


def advise(measured: Measurements, terms: Terms) -> Advice:
    """The cheapest way that nothing rules out; of equal ones the first of ``Way``."""
    asked = terms.requests_a_day
    requests = measured.usage.requests_a_day if asked is None else asked
    ranges = tuple(_ranges(measured, terms))
    anyhow = requests is None and len({one.way for one in ranges}) <= 1
    if anyhow:
        requests = FEWEST
    found = tuple(costs(measured, terms, requests)) if requests is not None else ()
    chosen = best(found)
    others = [one for one in found if not one.refused and one is not chosen]
    margin = None
    if chosen and others:
        next_best = min(one.total for one in others)
        margin = min(1.0, chosen.total / next_best) if next_best else 1.0
    return Advice(
        chosen.way if chosen else None,
        chosen,
        requests,
        found,
        break_even(measured, terms) if measured.night and not measured.decides else None,
        ranges,
        margin,
        _rule(found, chosen, margin, requests) + (ANY_NUMBER if anyhow else ""),
        tuple(_assumptions(measured, terms)),
        tuple(_changes(measured, terms, requests, chosen, ranges)),
    )


def best(found: tuple[Cost, ...] | list[Cost]) -> Cost | None:
    """The cheapest that nothing rules out; None where everything is."""
    possible = [one for one in found if not one.refused]
    return min(possible, key=lambda one: one.total) if possible else None


def break_even(measured: Measurements, terms: Terms) -> BreakEven:
    """Where batch and live cost the same, whatever rules either out.

    Batch less live is linear in the requests up to those that one worker can give, and linear
    again beyond: A + B·r − M·max(1, r / r₁). The first r > 0 at which it is 0.
    """

    def dearer(requests: float) -> float:
        batch, live, *_ = costs(measured, terms, requests)
        return batch.total - live.total

    one_worker = (
        measured.live.most_a_second * terms.busy * SECONDS_A_DAY / terms.peak
    )  # requests a day
    first = _root(0.0, dearer(0.0), one_worker, dearer(one_worker))
    if first is None or first > one_worker:
        beyond = _root(one_worker, dearer(one_worker), 2 * one_worker, dearer(2 * one_worker))
        first = beyond if beyond is not None and beyond > one_worker else None
    below = dearer(FEWEST if first is None else first * (1 - BESIDE))
    above = dearer(MOST if first is None else first * (1 + BESIDE))
    cheaper_below, cheaper_above = (Way.BATCH if one <= 0 else Way.LIVE for one in (below, above))
    return BreakEven(first, cheaper_below, cheaper_above)


def _root(x0: float, y0: float, x1: float, y1: float) -> float | None:
    """Where the line through both points is 0, right of 0; None where it never is."""
    slope = (y1 - y0) / (x1 - x0)
    root = x0 - y0 / slope if slope else -1.0
    return root if root > 0 else None


def _ranges(measured: Measurements, terms: Terms) -> list[Range]:
    def at(requests: float) -> tuple[Way | None, float | None]:
        found = best(costs(measured, terms, requests))
        return (found.way, found.cache_hours) if found else (None, None)

    decades = round(np.log10(MOST / FEWEST) * PER_DECADE)
    grid = np.geomspace(FEWEST, MOST, decades + 1).tolist()
    found: list[Range] = []
    start = FEWEST
    for low, high in pairwise(grid):
        if at(low) != at(high):
            change = _where(at, low, high)
            found += _range(start, change, at(low))
            start = change
    return found + _range(start, MOST, at(MOST))


def _range(first: float, last: float, way: tuple[Way | None, float | None]) -> list[Range]:
    return [Range(first, last, way[0], way[1])] if way[0] is not None else []


def _where(at: Callable[[float], object], low: float, high: float) -> float:
    """Between ``low`` and ``high``, where ``at`` changes first from what it is at ``low``."""
    before = at(low)
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if at(middle) == before else (low, middle)
    return high


def _rule(
    found: tuple[Cost, ...], chosen: Cost | None, margin: float | None, requests: float | None
) -> str:
    if not found:
        return (
            "How many requests a day come is not known, and the cheapest way depends on it: "
            "see the ranges, or give --requests-per-day."
        )
    refused = "; ".join(f"{_of(one)} is ruled out: {one.refused}" for one in found if one.refused)
    if chosen is None:
        return f"No way is left: {refused}."
    parts = [f"{_of(chosen)} costs the least of what is possible: {chosen.total:.4g} a day"]
    if margin is not None:
        other = min(
            (one for one in found if not one.refused and one is not chosen),
            key=lambda one: one.total,
        )
        close = "" if margin <= CLEARLY else ", which is close: read it as either"
        parts.append(f"the next best, {_of(other)}, {other.total:.4g}{close}")
    else:
        parts.append("nothing else is left")
    if refused:
        parts.append(refused)
    return "; ".join(parts) + f". At {requests:,.6g} requests a day."


def _of(cost: Cost) -> str:
    return said(cost.way, cost.cache_hours)


def _assumptions(measured: Measurements, terms: Terms) -> list[str]:
    prices = terms.prices
    said = [
        f"Prices: {prices.processor_hour:g} a processor hour, {prices.memory_gb_hour:g} a GB of "
        f"memory and hour, {prices.gb_month:g} a GB stored and month, in any one unit of money.",
        f"The busiest moment has {terms.peak:g} times the requests of the mean, and a worker is "
        f"busy for {terms.busy:.0%} of its time then; one worker is there whatever comes.",
        f"{own_inputs(measured, terms):.2%} of the requests bring what no night can know.",
        "Requests come at random, alike for all entities; where few entities are asked for most, "
        "a cache is better than said here.",
        "An answer from a cache costs what reading a published row does.",
    ]
    if measured.night is not None:
        said.append(f"{terms.kept_nights} nights are kept.")
    if terms.loss == 0:
        said.append("Freshness is not priced, as no --loss is given: only resources decide.")
    elif measured.freshness is not None:
        said.append(f"Each {measured.freshness.unit} costs {terms.loss:g}.")
    else:
        said.append("Freshness is not priced: it could not be measured.")
    return said


def _changes(
    measured: Measurements,
    terms: Terms,
    requests: float | None,
    chosen: Cost | None,
    ranges: tuple[Range, ...],
) -> list[str]:
    """What would lead to another advice, one thing changed at a time."""
    found = []
    for before, after in pairwise(ranges):
        if before.way != after.way:
            found.append(
                f"Requests: below {before.last:,.3g} a day {said(before.way, before.cache_hours)}, "
                f"above {said(after.way, after.cache_hours)}."
            )
    if chosen is None or requests is None:
        return found
    if measured.freshness is not None:
        loss = _loss_that_changes(measured, terms, requests, chosen.way)
        found += [loss] if loss else []
    inputs = best(costs(measured, replace(terms, own_inputs=0.01), requests))
    none_yet = not measured.decides and own_inputs(measured, terms) == 0
    if none_yet and inputs and inputs.way != chosen.way:
        found.append(f"Requests with inputs of their own, 1 in 100: {_of(inputs)}.")
    if terms.answer_within_ms is None and chosen.p99_ms is not None and chosen.p99_ms > 0:
        quicker = replace(terms, answer_within_ms=chosen.p99_ms / 2)
        other = best(costs(measured, quicker, requests))
        found.append(
            f"An answer within {chosen.p99_ms / 2:.3g} ms: "
            + (_of(other) if other else "nothing measured here is so quick")
            + "."
        )
    return found


def _loss_that_changes(
    measured: Measurements, terms: Terms, requests: float, way: Way
) -> str | None:
    """The smallest loss above that of the terms at which another way is best."""

    def at(loss: float) -> Cost | None:
        return best(costs(measured, replace(terms, loss=loss), requests))

    def way_at(loss: float) -> Way | None:
        found = at(loss)
        return found.way if found else None

    least, most = LOSSES
    start = max(terms.loss, least)
    for low, high in pairwise(np.geomspace(start, max(start, least) * most, 200).tolist()):
        if way_at(high) != way:
            loss = _where(way_at, low, high)
            other, unit = at(loss), measured.freshness.unit if measured.freshness else ""
            return f"A loss of {loss:.3g} or more for each {unit}: {_of(other)}." if other else None
    return None


def hours_of(days: int) -> float:
    """Hours between business dates so many days apart; a model scored as data land has 24."""
    return HOURS_A_DAY * max(days, 1)
