"""What an application asks: one store and item, a day or many, and what would be different."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

LARGEST_NUMBER = 1e30
"""The largest price or promotion that a data set may have, too."""

MOST_PRICES = 100
FORMER_NAMES = {"store": "store_id", "item": "item_id", "date": "target_date"}
"""Names that requests had before they were those of the answers; still taken."""


def _rounded(value: float) -> float:
    """The nearest float32, as of a whole column of facts: a planned price given again has the bits
    of the plan."""
    return float(np.float32(value))


def _either(name: str, former: str) -> AliasChoices:
    return AliasChoices(name, former)


def _given(name: str, kind: str) -> dict[str, Any]:
    """The schema of an object in which a field is there, and not null."""
    return {"required": [name], "properties": {name: {"type": kind}}}


def _schema(schema: dict[str, Any]) -> None:
    """Say of the schema what the validators say: which fields go together."""
    fields = schema["properties"]
    for former, name in FORMER_NAMES.items():
        of_name = {**fields[name], "description": f"Former name of `{name}`.", "deprecated": True}
        fields[former] = of_name
    del schema["required"]
    schema["allOf"] = [
        {"oneOf": [{"required": ["store_id"]}, {"required": ["store"]}]},
        {"oneOf": [{"required": ["item_id"]}, {"required": ["item"]}]},
        {
            "oneOf": [
                *(_given(name, "string") for name in ("target_date", "date", "horizon")),
                {"anyOf": [_given(name, "string") for name in ("first_date", "last_date")]},
            ]
        },
        {"not": {"required": ["target_date", "date"]}},
        {"not": {"allOf": [_given("price", "number"), _given("prices", "array")]}},
    ]


Known = Annotated[
    float, Field(ge=0, le=LARGEST_NUMBER, allow_inf_nan=False), AfterValidator(_rounded)
]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class ForecastRequest(BaseModel):
    """Forecasts of one series. A field left out, or null, means: as planned.

    One of `target_date`, `horizon` and a range of dates says which days.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra=_schema)

    store_id: Name = Field(
        validation_alias=_either("store_id", "store"),
        description="As in the data set.",
        examples=["S01"],
    )
    item_id: Name = Field(
        validation_alias=_either("item_id", "item"),
        description="As in the data set.",
        examples=["I0001"],
    )
    target_date: dt.date | None = Field(
        None,
        validation_alias=_either("target_date", "date"),
        description="Day to forecast, within the horizon after the business date.",
    )
    horizon: Literal["all"] | None = Field(None, description="Every day that is published.")
    first_date: dt.date | None = Field(
        None, description="First of several days; left out: the first that is published."
    )
    last_date: dt.date | None = Field(
        None, description="Last of several days; left out: the last that is published."
    )
    price: Known | None = Field(None, description="Price to take instead of the planned one.")
    prices: Annotated[list[Known], Field(min_length=1, max_length=MOST_PRICES)] | None = Field(
        None, description="Several prices: each day is forecast at each of them."
    )
    promotion: Known | None = Field(
        None, description="Promotion to take instead of the planned one; 0 is none."
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        ways = (
            self.target_date is not None,
            self.horizon is not None,
            self.first_date is not None or self.last_date is not None,
        )
        if sum(ways) != 1:
            raise ValueError(
                'say which days by one of target_date, horizon: "all", and first_date with '
                "last_date"
            )
        if self.price is not None and self.prices is not None:
            raise ValueError("give either price or prices")
        return self


class WhatIf(BaseModel):
    """What a row was asked with, beside what is planned; only of what the request gave."""

    price: float | None = Field(None, description="Price that was asked about.")
    planned_price: float | None = Field(None, description="Planned price of the day.")
    promotion: float | None = Field(None, description="Promotion that was asked about; 0 is none.")
    planned_promotion: float | None = Field(None, description="Planned promotion of the day.")
