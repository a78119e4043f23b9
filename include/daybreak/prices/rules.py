"""The rules that prices keep, as data: the section ``pricing`` of a data set.

``docs/data-contract.md`` lists the fields and which rule goes before which. Rules have an identity,
the sha256 of their canonical JSON, so that a night can say by which it was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic import model_validator as whole

from daybreak.errors import ConfigError
from daybreak.prices.form import (
    Amount,
    Day,
    Form,
    Key,
    Keys,
    Share,
    as_tuple,
    twice,
)
from daybreak.prices.ladder import Ladder, Points
from daybreak.prices.live import Live
from daybreak.prices.money import decimals, exact_minor

Objective = Literal["margin", "revenue", "units", "sell_through"]
Across = Literal["items", "stores", "both"]
How = Literal["same_price", "same_step", "ascending"]
Ranked = Literal["blocked", "least_days", "margin_floor", "largest_change", "competitor"]
RANKED: tuple[Ranked, ...] = get_args(Ranked)


class Competitor(Form):
    """A corridor around what competitors ask."""

    below: Share | None = Field(None, lt=1, description="share that a price may be below it")
    above: Share | None = Field(None, le=100, description="share that a price may be above it")
    of: Literal["lowest", "median"] = Field("lowest", description="of several competitors")
    newest_days: int = Field(3, ge=0, le=3650, description="older prices do not count")

    @whole(mode="after")
    def _a_side(self) -> Self:
        if self.below is None and self.above is None:
            raise ValueError("give `below`, `above` or both")
        return self


class Blocked(Form):
    """What keeps its price."""

    items: Keys = ()
    stores: Keys = ()
    categories: Keys = ()


class Together(Form):
    """A group of prices that move together."""

    name: Key
    items: Keys = ()
    category: Key | None = None
    across: Across = "items"
    how: How

    @whole(mode="after")
    def _whole_group(self) -> Self:
        if self.items and self.category is not None:
            raise ValueError("give either `items` or `category`")
        if repeated := twice(self.items):
            raise ValueError(f"`items` has {repeated} twice")
        if self.how == "ascending":
            if self.across != "items":
                raise ValueError("`ascending` is about the items of one store: leave out `across`")
            if not self.items:
                raise ValueError("`ascending` goes by the order of `items`: list them")
        if self.across == "items" and len(self.items) < 2 and self.category is None:
            raise ValueError("a group has two `items` or more, or a `category`")
        if self.across == "both" and not self.items and self.category is None:
            raise ValueError("give `items` or a `category`; without them only `across: stores` is")
        return self


class Markdown(Form):
    """Stock that has to go by a date. Its prices may fall faster, and below the margin floor."""

    items: Keys = ()
    category: Key | None = None
    ends: Day = Field(description="the last day on which it holds")
    below_cost: bool = Field(False, description="whether it may be sold at a loss")
    floor: Amount | None = Field(None, description="no price is lower; in the currency")

    @whole(mode="after")
    def _of_something(self) -> Self:
        if bool(self.items) == (self.category is not None):
            raise ValueError("give either `items` or `category`")
        return self


class Approval(Form):
    """Beyond which a person decides. Nobody within ``hours``: the old prices stay."""

    changes: int | None = Field(None, ge=0, description="of a night, more than these")
    share: Share | None = Field(None, le=1, description="of all prices, more than this")
    hours: float = Field(6, gt=0, le=168)

    @whole(mode="after")
    def _beyond_something(self) -> Self:
        if self.changes is None and self.share is None:
            raise ValueError("give `changes`, `share` or both")
        return self


class Rules(Form):
    """All rules of a shop. Shares are of 1; amounts are in the currency."""

    currency: str = Field(description="ISO 4217, such as EUR")
    objective: Objective = "margin"
    days: int = Field(7, ge=1, le=365, description="how many days ahead a price is judged by")
    ladder: Ladder
    margin_floor: Share | None = Field(None, lt=1, description="least (price - cost) / price")
    largest_rise: Share | None = Field(None, le=100, description="of the current price, at once")
    largest_fall: Share | None = Field(None, le=1, description="of the current price, at once")
    least_days: int = Field(0, ge=0, le=3650, description="between two changes of a price")
    changes_a_night: int | None = Field(None, ge=0, description="of all prices at most")
    competitor: Competitor | None = None
    blocked: Blocked = Blocked()
    together: Annotated[tuple[Together, ...], BeforeValidator(as_tuple)] = ()
    markdowns: Annotated[tuple[Markdown, ...], BeforeValidator(as_tuple)] = ()
    priority: Annotated[tuple[Ranked, ...], BeforeValidator(as_tuple)] = RANKED
    approval: Approval | None = None
    live: Live | None = Field(None, description="what streams may move during the day")

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, currency: str) -> str:
        try:
            decimals(currency)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return currency

    @field_validator("ladder")
    @classmethod
    def _a_ladder_of_the_currency(cls, ladder: Ladder, info: ValidationInfo) -> Ladder:
        if "currency" in info.data:
            ladder.minor(info.data["currency"])
        return ladder

    @field_validator("together")
    @classmethod
    def _names_stand_once(cls, groups: tuple[Together, ...]) -> tuple[Together, ...]:
        if repeated := twice(tuple(group.name for group in groups)):
            raise ValueError(f"two groups are called {repeated[0]!r}")
        return groups

    @field_validator("markdowns")
    @classmethod
    def _exact_floors(
        cls, markdowns: tuple[Markdown, ...], info: ValidationInfo
    ) -> tuple[Markdown, ...]:
        for number, one in enumerate(markdowns):
            if one.floor is not None and "currency" in info.data:
                try:
                    exact_minor(one.floor, info.data["currency"])
                except ValueError as error:
                    raise ValueError(f"`floor` of number {number + 1}: {error}") from None
        return markdowns

    @field_validator("priority")
    @classmethod
    def _each_once(cls, priority: tuple[Ranked, ...]) -> tuple[Ranked, ...]:
        if sorted(priority) != sorted(RANKED):
            raise ValueError(f"name each of {', '.join(RANKED)} once, the strongest first")
        return priority

    @whole(mode="after")
    def _competitors_have_a_corridor(self) -> Self:
        if self.live is not None and self.live.competitors and self.competitor is None:
            raise ValueError(
                "`live.competitors` moves prices into the corridor around what they ask: give "
                "`competitor`"
            )
        return self

    @cached_property
    def points(self) -> Points:
        """The ladder in minor units: int64 (K,), sorted, each once."""
        return self.ladder.minor(self.currency)

    def minor(self, amount: float) -> int:
        """An amount of these rules in minor units."""
        return exact_minor(amount, self.currency)

    def to_json(self) -> str:
        """Canonical: all fields, keys sorted, nothing that may differ between two equal rules."""
        plain = {name: getattr(self, name) for name in Rules.model_fields}
        whole_form = Rules.model_construct(**plain)  # of a section, without what is not a rule
        dumped = whole_form.model_dump(mode="json", by_alias=True)
        if self.live is None:
            del dumped["live"]  # so that rules from before there was any keep their identity
        return json.dumps(dumped, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Rules:
        """The inverse of ``to_json``. Raises ``ConfigError`` that names the field."""
        return rules_of(json.loads(text))

    @property
    def sha256(self) -> str:
        """Their identity."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def rules_of(given: Mapping[str, Any]) -> Rules:
    """The rules as a file has them. Raises ``ConfigError`` that names every wrong field."""
    try:
        return Rules.model_validate(dict(given))
    except ValidationError as error:
        faults = {
            ".".join(map(str, part["loc"])): part["msg"].removeprefix("Value error, ")
            for part in error.errors()
        }
        raise ConfigError(
            f"The rules of prices are wrong: {'; '.join(f'{k}: {v}' for k, v in faults.items())}.",
            remedy="docs/data-contract.md says what each field takes.",
            field=next(iter(faults)),
            faults=faults,
        ) from None
