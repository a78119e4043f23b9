"""What a person says: prices, the loss, and what is asked for."""

from __future__ import annotations

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
    def of(cls, given: dict[str, float]) -> Prices:
        """``given``: by name, with a hyphen or an underscore. Raises ``InvalidRequest``."""
        names = [field.name for field in fields(cls)]
        chosen = {name.replace("-", "_"): price for name, price in given.items()}
        for name, price in chosen.items():
            if name not in names or not 0 <= price < float("inf"):
                raise InvalidRequest(
                    f"{name.replace('_', '-')}={price:g} is no price.",
                    remedy="Write --price NAME=NUMBER, 0 or more, with a NAME of: "
                    + ", ".join(one.replace("_", "-") for one in names)
                    + ".",
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
