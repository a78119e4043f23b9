"""What an application asks: one store, one item, one day, and what would be different."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST_NUMBER = 1e30
"""The largest price or promotion that a data set may have, too."""


def _rounded(value: float) -> float:
    """The nearest float32, as of a whole column of facts: a planned price given again has the bits
    of the plan."""
    return float(np.float32(value))


Known = Annotated[
    float, Field(ge=0, le=LARGEST_NUMBER, allow_inf_nan=False), AfterValidator(_rounded)
]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class ForecastRequest(BaseModel):
    """A forecast of one day. A field left out, or null, means: as planned."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store: Name = Field(description="store_id of the data set.", examples=["S01"])
    item: Name = Field(description="item_id of the data set.", examples=["I0001"])
    date: dt.date = Field(
        description="Day to forecast, within the horizon after the business date."
    )
    price: Known | None = Field(None, description="Price to take instead of the planned one.")
    promotion: Known | None = Field(
        None, description="Promotion to take instead of the planned one; 0 is none."
    )
