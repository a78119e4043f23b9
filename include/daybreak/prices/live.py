"""Which streams may move prices during the day, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field
from pydantic import model_validator as whole

from daybreak.prices.form import Form

Name = Annotated[str, Field(min_length=1, max_length=63)]
"""Of a stream, or of a key or an amount of one."""
Minutes = Annotated[int, Field(ge=1, le=1440)]


class LiveSales(Form):
    """What is sold, as it is: beside the forecast it says how demand is today."""

    stream: Name
    units: Name | None = Field(None, description="an amount; without it each event is one unit")
    store_id: Name = Field(description="the key that is the store")
    item_id: Name = Field(description="the key that is the item")
    newest_minutes: Minutes = Field(
        60, description="without an event of the store since then, nothing is known of demand"
    )

    @property
    def keys(self) -> dict[str, str]:
        """Fields that name a key of the stream."""
        return {"store_id": self.store_id, "item_id": self.item_id}

    @property
    def amounts(self) -> dict[str, str]:
        """Fields that name an amount of the stream."""
        return {} if self.units is None else {"units": self.units}


class LiveCompetitors(Form):
    """What competitors ask, as it is seen; in the currency of the rules."""

    stream: Name
    price: Name = Field(description="an amount")
    item_id: Name = Field(description="the key that is the item")
    store_id: Name | None = Field(
        None, description="the key that is the store; an event without one holds for all"
    )
    competitor: Name | None = Field(
        None, description="the key that is the competitor; without one all are one"
    )
    newest_minutes: Minutes = Field(240, description="older prices do not count")

    @property
    def newest(self) -> timedelta:
        """Older prices do not count."""
        return timedelta(minutes=self.newest_minutes)

    @property
    def keys(self) -> dict[str, str]:
        """Fields that name a key of the stream."""
        given = {"item_id": self.item_id, "store_id": self.store_id, "competitor": self.competitor}
        return {name: key for name, key in given.items() if key is not None}

    @property
    def amounts(self) -> dict[str, str]:
        """Fields that name an amount of the stream."""
        return {"price": self.price}


class Live(Form):
    """The price of a moment: the same for everybody who asks in one slot of the day."""

    minutes: int = Field(15, ge=5, le=720, description="how long it holds: the length of a slot")
    changes_a_day: int = Field(
        4, ge=2, le=1000, description="of one price at most; the last one leads back"
    )
    sales: LiveSales | None = None
    competitors: LiveCompetitors | None = None

    @property
    def slot(self) -> timedelta:
        """The length of a slot."""
        return timedelta(minutes=self.minutes)

    @property
    def feeds(self) -> dict[str, LiveSales | LiveCompetitors]:
        """What there is, by field."""
        found = {"sales": self.sales, "competitors": self.competitors}
        return {name: feed for name, feed in found.items() if feed is not None}

    @whole(mode="after")
    def _by_something(self) -> Self:
        if not self.feeds:
            raise ValueError("give `sales`, `competitors` or both")
        return self
