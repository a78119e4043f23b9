"""Elasticities for people: of each category, and why some series have none. JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daybreak.models.pricing.elasticity.fit import Fit
from daybreak.models.pricing.learn.facts import Facts
from daybreak.models.pricing.response import Basis, Estimates, Responses, known


def answered(facts: Facts, fit: Fit) -> Responses:
    """What is answered of each series and category."""
    return known(fit, facts.tree, np.array(sorted({*facts.categories.tolist()}), object))


def summary(facts: Facts, fit: Fit) -> dict[str, Any]:
    """``categories``: elasticity, interval and weight of own data of each, null where there is
    none. ``series``: how many by what they rest on. ``median``: of all series that have one."""
    found = answered(facts, fit)
    return {
        "median": _median(found.series),
        "series": counted(found.series),
        "categories": of_categories(found),
    }


def of_categories(found: Responses) -> dict[str, dict[str, Any]]:
    """By name."""
    one = found.categories
    columns = {
        "elasticity": one.elasticity,
        "low": one.low,
        "high": one.high,
        "own_weight": one.own_weight,
    }
    return {
        str(name): {
            **{column: number(values[place]) for column, values in columns.items()},
            "basis": Basis(int(one.basis[place])).name.lower(),
        }
        for place, name in enumerate(found.names)
    }


def counted(estimates: Estimates) -> Mapping[str, int]:
    """How many rest on what."""
    return {one.name.lower(): int((estimates.basis == one).sum()) for one in Basis}


def number(value: Any) -> float | None:
    """For JSON, which has no NaN."""
    return round(float(value), 6) if np.isfinite(value) else None


def _median(estimates: Estimates) -> float | None:
    given = estimates.elasticity[~estimates.refused]
    return number(np.median(given)) if len(given) else None
