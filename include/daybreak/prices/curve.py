"""The demand curve of one item in one store: what is expected at each price that the rules left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daybreak.prices.money import decimals, from_minor


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

    def money(self, minor: float) -> str:
        """As people write it: ``1,234.50``."""
        return f"{self.amount(minor):,.{decimals(self.currency)}f}"

    @property
    def listed(self) -> tuple[Point, ...]:
        """The points, and the current price where it is none of them, by price."""
        by_price = {point.price: point for point in (self.current, *self.points)}
        return tuple(by_price[price] for price in sorted(by_price))

    def remark(self, point: Point) -> str:
        """What a point is: ``proposed, highest: largest_change``; '' for one among others."""
        named = [("current", self.current), ("proposed", self.proposed)]
        said = [name for name, one in named if one.price == point.price]
        for name, end in (("lowest", self.lowest), ("highest", self.highest)):
            if self.points and point.price == end.price:
                said.append(f"{name}: {end.rule}" if end.rule else name)
        return ", ".join(said)

    @property
    def reason(self) -> str:
        """Why it is not another price: ``It stays: no_cost.``; '' where no rule is in the way."""
        if not self.rule:
            return ""
        stays = self.proposed.price == self.current.price
        return f"{'It stays' if stays else 'It goes no further'}: {self.rule}."

    def as_json(self) -> dict[str, Any]:
        """With all amounts in the currency."""
        ends = {"lowest": self.lowest, "highest": self.highest}
        return {
            "currency": self.currency,
            "current": self.point_as_json(self.current),
            "proposed": self.point_as_json(self.proposed),
            **{
                name: {"price": self.amount(one.price), "rule": one.rule}
                for name, one in ends.items()
            },
            "rule": self.rule,
            "elasticity": vars(self.elasticity) if self.elasticity else None,
            "cost": None if self.cost is None else self.amount(self.cost),
            "points": [self.point_as_json(point) for point in self.points],
        }

    def point_as_json(self, point: Point) -> dict[str, Any]:
        """With all amounts in the currency."""
        margin = None if point.margin is None else self.amount(point.margin)
        return {
            "price": self.amount(point.price),
            "units": point.units,
            "units_p10": point.p10,
            "units_p90": point.p90,
            "margin": margin,
        }
