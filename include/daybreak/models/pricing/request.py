"""What a shop asks: the price of an item in a store, or what it would be in another moment.

There is no field by which one person could be told from another, and none may be added
(docs/pricing-model.md, «No personal prices»).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
MOST = 2**24 - 1


class PriceRequest(BaseModel):
    """A field left out, or null, means: as the night knew it, or as streams say it is now. With one
    of them it is a what-if, which is not in force for anybody."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store_id: Name = Field(description="As in the data set.", examples=["S001"])
    item_id: Name = Field(description="As in the data set.", examples=["I0001"])
    competitor_price: float | None = Field(
        None,
        gt=0,
        le=MOST,
        multiple_of=1,
        description="What if the competitor asked this, in minor units (cents).",
    )
    stock: float | None = Field(
        None,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="What if so many units were left to sell.",
    )
    demand: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="What if so much sold, as a multiple of what was expected by now; 1: as much.",
    )


class PriceNotes(BaseModel):
    """What stands beside a price."""

    currency: str = Field(description="ISO 4217")
    decimals: int = Field(description="of the currency: 1999 with 2 is 19.99")
    valid_on: str = Field(description="The day of the price; the next night proposes the next one.")
    valid_until: str | None = Field(
        description="How long the price holds, ISO 8601: until then everybody gets this one, "
        "unless it is rolled back. null: of a what-if, and once the day is over."
    )
    stale: bool = Field(
        description="Whether the warehouse was down: what was in force when it was asked last."
    )
    reasons: list[str] = Field(description="Why it is this price, in words.")
