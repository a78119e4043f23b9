"""What an operator may set of the sales forecast. A version keeps what it was trained with."""

from __future__ import annotations

from daybreak.models.base import NO_OPTIONS, Options
from daybreak.models.options import Option, chosen

DEFAULT_HORIZON = 28
HORIZON = Option(DEFAULT_HORIZON, 1, 92, whole=True)
"""How many days after the business date are forecast."""


def horizon_of(options: Options = NO_OPTIONS) -> int:
    """The horizon, in days. Raises ``InvalidRequest`` for an option that there is not."""
    return int(chosen(options, {"horizon": HORIZON})["horizon"])
