"""The ladder: the points that a price may stand on."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from daybreak.prices.form import Amount, Amounts, Endings, Form
from daybreak.prices.money import MOST_PRICE, exact_minor

MOST_POINTS = 100_000

Points = NDArray[np.int64]
"""In minor units, sorted, each once: int64 (K,)."""


class Ladder(Form):
    """One of: ``points`` themselves; ``endings`` of every whole unit; a ``step``.

    The last two go from ``from`` to ``to``, both of them included.
    """

    points: Amounts | None = Field(None, description="the prices themselves")
    endings: Endings | None = Field(None, description="that prices end with, such as 0.49 and 0.99")
    every: Amount = Field(1, description="between two prices with the same ending; 100 for yen")
    step: Amount | None = Field(None, description="between two prices, the first of them is `from`")
    first: Amount | None = Field(None, alias="from", description="no price is lower")
    last: Amount | None = Field(None, alias="to", description="no price is higher")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("points", "endings", "step") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError("give exactly one of `points`, `endings` and `step`")
        if (self.first is None) != (self.points is not None) or (self.first is None) != (
            self.last is None
        ):
            raise ValueError("`from` and `to` go with `endings` or `step`, both of them")
        if self.endings is None and self.every != 1:
            raise ValueError("`every` goes with `endings`")
        return self

    def minor(self, currency: str) -> Points:
        """The points in minor units. Raises ``ValueError``, naming the field, for a ladder that
        has none or too many, or one that its currency does not have."""
        if self.points is not None:
            found = [_minor("points", point, currency) for point in self.points]
        else:
            found = self._spanned(currency)
        points = np.unique(np.array(found, np.int64))
        if not len(points):
            raise ValueError("no price is between `from` and `to`")
        if points[-1] >= MOST_PRICE:
            raise ValueError(f"a price is below 2^24 = {MOST_PRICE:,} minor units of {currency}")
        return points

    def _spanned(self, currency: str) -> list[int]:
        first, last = (_minor(n, v, currency) for n, v in (("from", self.first), ("to", self.last)))
        if self.endings is None:
            every, offsets = _minor("step", self.step, currency), [first]
        else:
            every = _minor("every", self.every, currency)
            offsets = [_minor("endings", ending, currency) for ending in self.endings]
            if max(offsets) >= every:
                raise ValueError(f"`endings` are less than `every`, {self.every:g}")
        if (last - first) // every * len(offsets) > MOST_POINTS:
            raise ValueError(f"it has more than {MOST_POINTS:,} prices")
        return [
            point
            for offset in offsets
            for point in range(first - (first - offset) % every, last + 1, every)
            if first <= point
        ]


def _minor(name: str, amount: float | None, currency: str) -> int:
    try:
        return exact_minor(amount or 0.0, currency)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None
