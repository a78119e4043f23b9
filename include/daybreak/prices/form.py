"""What the forms of rules share: strict fields, exact shares, amounts of money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from daybreak.clock import written_date

MILLION = 10**6


class Form(BaseModel):
    """Nothing is converted on the way in, and unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def millionths(share: float) -> int:
    """A share as a whole number of millionths, of the number as it is written: 0.15 is 150000.

    Raises ``ValueError`` for one with more decimals. Comparisons of prices with shares are made in
    these, so that 15 % of 1.00 is 0.15 and not a hair more or less.
    """
    exact = Decimal(str(share)) * MILLION
    if not exact.is_finite():
        raise ValueError("is not finite")
    if exact != exact.to_integral_value():
        raise ValueError(f"{share} has more than 6 decimals")
    return int(exact)


def _exact(share: float) -> float:
    millionths(share)
    return share


def as_tuple(given: Any) -> Any:
    """A list as the tuple that a frozen form holds."""
    return tuple(given) if isinstance(given, list) else given


Share = Annotated[float, AfterValidator(_exact), Field(ge=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Of money, in the currency."""
Key = Annotated[str, Field(min_length=1, max_length=200)]
"""Of an item or a store, or a category."""
Keys = Annotated[tuple[Key, ...], BeforeValidator(as_tuple)]
Amounts = Annotated[tuple[Amount, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Endings = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    BeforeValidator(as_tuple),
    Field(min_length=1),
]
Day = Annotated[date, BeforeValidator(written_date)]


def twice(names: tuple[Any, ...]) -> list[Any]:
    """Those that stand more than once, sorted."""
    return sorted({name for name in names if names.count(name) > 1})
