"""What a person says: prices, the loss, and what is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from daybreak.errors import InvalidRequest


@dataclass(frozen=True)
class Prices:
    """In any one unit of money; the defaults are of the order of what machines are let for.

    ``processor_hour``: an hour of one core. ``memory_gb_hour``: of a GB (10^9 bytes) of memory.
    ``gb_month``: of a GB stored for a month of 730.5 hours.
    """

    processor_hour: float = 0.04
    memory_gb_hour: float = 0.005
    gb_month: float = 0.10

    @classmethod
    def of(cls, written: Iterable[str]) -> Prices:
        """Each as ``processor-hour=0.04``; those left out have their defaults.

        Raises ``InvalidRequest``.
        """
        names = [field.name for field in fields(cls)]
        chosen = {}
        for one in written:
            name, _, number = one.partition("=")
            name = name.replace("-", "_")
            try:
                chosen[name] = float(number)
            except ValueError:
                chosen[name] = math.nan
            if name not in names or not 0 <= chosen[name] < math.inf:
                listed = ", ".join(each.replace("_", "-") for each in names)
                raise InvalidRequest(
                    f"{one!r} is no price.",
                    remedy=f"Write --price NAME=NUMBER, 0 or more, with a NAME of: {listed}.",
                    field="price",
                )
        return cls(**chosen)


@dataclass(frozen=True)
class Terms:
    """``loss``: money, a unit of what the model loses; 0: freshness is not priced.

    ``requests_a_day``: instead of what was counted. ``answer_within_ms``: 99 of 100 answers have to
    be so quick. ``own_inputs``: instead of the measured share. ``kept_nights``: whose rows are
    stored. ``peak``: requests of the busiest moment beside the mean. ``busy``: share of its time
    that a worker may be busy then.
    """

    prices: Prices = Prices()
    loss: float = 0.0
    requests_a_day: float | None = None
    answer_within_ms: float | None = None
    own_inputs: float | None = None
    kept_nights: int = 60
    peak: float = 4.0
    busy: float = 0.5
