"""Options of the synthetic shop, checked by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Self, TypeVar

import holidays
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from daybreak.clock import written_date
from daybreak.errors import DatasetError

Share = Annotated[float, Field(ge=0, le=1)]
Day = Annotated[date, BeforeValidator(written_date)]
Weekday = Annotated[int, Field(ge=0, le=6)]


Options = TypeVar("Options", bound=BaseModel)


class ShopOptions(BaseModel):
    """Size, calendar and difficulty of the shop. Equal options give equal bytes.

    The defaults make 8 stores x 60 items over 27 months: about 350,000 rows of sales. For 5,000
    series take ``stores=50, items=100``. A later ``end`` only adds days: all earlier rows stay as
    they are, so that a day can be ingested when its turn comes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(7, ge=0, description="Everything random follows from it.")
    stores: int = Field(8, ge=1, le=999)
    items: int = Field(60, ge=1, le=9999, description="Items; every store carries all of them.")
    start: Day = Field(date(2024, 4, 1), description="First day with sales.")
    end: Day = Field(date(2026, 6, 30), description="Last day with sales.")
    ahead: int = Field(35, ge=0, le=366, description="Days after `end` that the plan covers.")

    country: str = Field("GB", description="ISO code; whose public holidays the shop keeps.")
    closed_weekdays: tuple[Weekday, ...] = Field((6,), description="0 is Monday.")
    closed_weekday_share: Share = Field(0.4, description="Stores that close on those weekdays.")
    holiday_opening_share: Share = Field(
        0.5, description="Stores open on public holidays, but for 25 December and 1 January."
    )
    special_closure_rate: Share = Field(0.003, description="Chance a store-day starts a closure.")

    units_per_day: float = Field(6.0, gt=0, description="Median over items of the base demand.")
    dispersion: float = Field(
        0.05, ge=0, description="a in the variance m + a m^2 of demand with mean m; 0 is Poisson."
    )
    slow_share: Share = Field(0.2, description="Items of intermittent demand, a sale in weeks.")
    new_item_share: Share = Field(0.1, description="Items launched after the start.")
    promotion_share: Share = Field(0.12, description="Chance an item is in a week's leaflet.")
    stockout_rate: Share = Field(0.003, description="Chance a series runs short on a given day.")

    users: int = Field(2000, ge=1)
    baskets_per_day: float = Field(40.0, ge=0, description="Mean visits that leave interactions.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end < self.start:
            raise ValueError("`end` is before `start`")
        if self.country not in holidays.list_supported_countries():
            raise ValueError(f"`country` {self.country!r} has no public holidays known here")
        return self

    @property
    def days(self) -> int:
        """Days with sales, ``start`` to ``end`` inclusive."""
        return (self.end - self.start).days + 1

    @property
    def last_planned(self) -> date:
        """Last date of the plan."""
        return self.end + timedelta(days=self.ahead)


def shop_options(values: Mapping[str, Any]) -> ShopOptions:
    """Options from a data set file. Raises ``DatasetError`` that names every wrong field."""
    return checked_options(ShopOptions, values, "synthetic shop")


def checked_options(form: type[Options], values: Mapping[str, Any], made: str) -> Options:
    """Options of what is ``made``. Raises ``DatasetError`` that names every wrong field."""
    try:
        return form.model_validate(dict(values))
    except ValidationError as error:
        faults = {".".join(map(str, f["loc"])) or "options": f["msg"] for f in error.errors()}
        listing = "; ".join(f"{name}: {message}" for name, message in faults.items())
        raise DatasetError(
            f"The options of the {made} are wrong: {listing}.",
            remedy=f"`{form.__module__}.{form.__name__}` lists them with their limits.",
            fields=sorted(faults),
        ) from None
