"""What an application asks: for whom, what they look at right now, and what not to offer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_LISTED = 100
"""Items in a list at most: every user has as many candidates, where so many are on sale."""


def _whole(value: Any) -> Any:
    """5.0 is an integer to JSON Schema, and to languages that have no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=1, le=MOST_LISTED), BeforeValidator(_whole)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class RecommendationRequest(BaseModel):
    """The best items for a user, a session, or both. With neither: the default list."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    user_id: Name | None = Field(
        None, description="Whom it is for; left out or unknown: nobody in particular."
    )
    session: list[Name] = Field(
        default_factory=list,
        max_length=100,
        fail_fast=True,
        description="item_id of what was just seen or put in the basket; not offered again.",
        examples=[["I0001"]],
    )
    k: Count | None = Field(None, description="How many items; null: as many as are published.")
    exclude: list[Name] = Field(
        default_factory=list,
        max_length=1000,
        fail_fast=True,
        description="item_id of what not to offer.",
    )
    exclude_purchased: bool | None = Field(
        None,
        description="Offer nothing that the user has: bought before, or whatever else counts as "
        "such (option `has_weight`); null: as in published lists.",
    )
    allow: list[Name] | None = Field(
        None,
        max_length=5000,
        fail_fast=True,
        description="Offer only these (what is in stock); null: anything on sale.",
    )


class Notes(BaseModel):
    """What an answer says beside the items."""

    unknown_items: list[str] = Field(
        description="Items of the request that nobody ever bought or looked at; passed over."
    )
