"""From a row of a snapshot, and what was published of it, to its demand curve."""

from __future__ import annotations

import numpy as np

from daybreak.models.base import Columns, Day, Float32, SnapshotRows
from daybreak.models.pricing.layout import CURRENCY, VALUES
from daybreak.prices.curve import Curve, Elasticity, End, Point


def curve_of(entity: SnapshotRows, published: Columns, day: Day) -> Curve:
    """``entity``: the row (n=1) of an item in a store. ``published``: its row of the scores, (1,)
    each."""
    value = dict(zip(VALUES, entity.values[0].tolist(), strict=True))
    row = {name: column[0] for name, column in published.items()}
    cost = None if np.isnan(value["cost"]) else round(value["cost"])
    current, *points = (_point(record, cost) for record in entity.records)
    price = int(row["price"])
    known = value["elasticity"] < 0
    return Curve(
        currency=str(day.context[CURRENCY][0]),
        current=current,
        proposed=next((one for one in points if one.price == price), current),
        points=tuple(points),
        lowest=End(int(row["lowest_price"]), row["lowest_rule"]),
        highest=End(int(row["highest_price"]), row["highest_rule"]),
        rule=row["rule"],
        elasticity=Elasticity(
            value["elasticity"], value["elasticity_low"], value["elasticity_high"]
        )
        if known
        else None,
        cost=cost,
    )


def _point(record: Float32, cost: int | None) -> Point:
    price, units, p10, p90 = record.tolist()
    margin = None if cost is None else (price - cost) * units
    return Point(int(price), units, p10, p90, margin)
