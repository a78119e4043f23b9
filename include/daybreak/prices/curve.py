"""The demand curve of one item in one store: what is expected at each price that the rules left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daybreak.prices.money import from_minor


@dataclass(frozen=True)
class Point:
    """``price``: minor units. ``units``, ``p10``, ``p90``: expected in the days that a price is
    judged by. ``margin``: minor units, None where the cost is not known."""

    price: int
    units: float
    p10: float
    p90: float
    margin: float | None


@dataclass(frozen=True)
class End:
    """The lowest or highest price that the rules leave, in minor units, and the rule that says
    so; '' for none."""

    price: int
    rule: str


@dataclass(frozen=True)
class Elasticity:
    """Change of units in per cent for a price one per cent higher; a tenth of what it may be is
    below ``low``, a tenth above ``high``."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """What a night left of a price.

    ``points``: those of the ladder between the ends, by price; none where the price has to stay.
    ``rule``: that keeps the price from going further, or lets it stay; '' for none. ``elasticity``,
    ``cost`` (minor units): None where they are not known.
    """

    currency: str
    current: Point
    proposed: Point
    points: tuple[Point, ...]
    lowest: End
    highest: End
    rule: str
    elasticity: Elasticity | None
    cost: int | None

    def amount(self, minor: float) -> float:
        """In the currency, whole in its smallest unit."""
        return float(from_minor(round(minor), self.currency))

    def as_json(self) -> dict[str, Any]:
        """With all amounts in the currency."""
        ends = {"lowest": self.lowest, "highest": self.highest}
        return {
            "currency": self.currency,
            "current": self._as_json(self.current),
            "proposed": self._as_json(self.proposed),
            **{
                name: {"price": self.amount(one.price), "rule": one.rule}
                for name, one in ends.items()
            },
            "rule": self.rule,
            "elasticity": vars(self.elasticity) if self.elasticity else None,
            "cost": None if self.cost is None else self.amount(self.cost),
            "points": [self._as_json(point) for point in self.points],
        }

    def _as_json(self, point: Point) -> dict[str, Any]:
        margin = None if point.margin is None else self.amount(point.margin)
        return {
            "price": self.amount(point.price),
            "units": point.units,
            "units_p10": point.p10,
            "units_p90": point.p90,
            "margin": margin,
        }
