"""What a shop asks: the price of an item in a store, and what it knows of this moment.

There is no field by which one person could be told from another, and none may be added
(docs/pricing-model.md, «No personal prices»).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
MOST = 2**24 - 1


class PriceRequest(BaseModel):
    """A field left out, or null, means: as the night knew it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store_id: Name = Field(description="As in the data set.", examples=["S001"])
    item_id: Name = Field(description="As in the data set.", examples=["I0001"])
    competitor_price: float | None = Field(
        None,
        gt=0,
        le=MOST,
        multiple_of=1,
        description="What the competitor asks now, in minor units (cents).",
    )
    stock: float | None = Field(
        None, ge=0, le=1e9, allow_inf_nan=False, description="Units that are left to sell."
    )
    demand: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="What sold lately, as a multiple of what was expected to by now; 1: as much.",
    )


class PriceNotes(BaseModel):
    """What stands beside a price."""

    currency: str = Field(description="ISO 4217")
    decimals: int = Field(description="of the currency: 1999 with 2 is 19.99")
    valid_on: str = Field(description="The day of the price; the next night proposes the next one.")
    reasons: list[str] = Field(description="Why it is this price, in words.")
