"""What an operator may set of the sales forecast. A version keeps what it was trained with."""

from __future__ import annotations

from dataclasses import dataclass

from daybreak.errors import InvalidRequest
from daybreak.facts.panel import LEAST_SLOTS
from daybreak.facts.sales import MOST_SLOTS
from daybreak.models.base import NO_OPTIONS, Options
from daybreak.models.options import Option, chosen

DEFAULT_HORIZON = 28
DEFAULT_WEEKS = 13
"""As the M4 competition has it for weekly series (Makridakis, Spiliotis, Assimakopoulos, «The M4
Competition: 100,000 time series and 61 forecasting methods», 2020): a quarter of a year."""
HORIZON = Option(DEFAULT_HORIZON, 1, 92, whole=True)
"""How many periods after the business date are forecast."""
PERIOD_DAYS = Option(1, 1, 7, whole=True)
"""Days of a period. A version keeps that of the data set which it was trained on."""
COVARIATES = Option(LEAST_SLOTS, LEAST_SLOTS, MOST_SLOTS, whole=True)
"""Slots for covariates of the data set's own; default: as many as it has, at least so many."""
OPTIONS = {"horizon": HORIZON, "period_days": PERIOD_DAYS, "covariates": COVARIATES}


@dataclass(frozen=True)
class Scope:
    """What is forecast: ``horizon`` periods of ``step`` days each, from ``slots`` covariates."""

    horizon: int = DEFAULT_HORIZON
    step: int = 1
    slots: int = LEAST_SLOTS

    @classmethod
    def of(cls, options: Options = NO_OPTIONS, step: int | None = None) -> Scope:
        """As ``options`` say; ``step``: days of a period of the data set, where it is at hand.

        Raises ``InvalidRequest`` for an option that there is not, and where it contradicts the data
        set.
        """
        known = chosen(options, OPTIONS)
        if step is not None and "period_days" in options and known["period_days"] != step:
            raise InvalidRequest(
                f"The option period_days is {known['period_days']}; the data set has periods of "
                f"{step} days.",
                remedy="Leave it out, and train again where a version has it.",
                field="period_days",
            )
        days = known["period_days"] if step is None else step
        weeks = days > 1 and "horizon" not in options
        return cls(DEFAULT_WEEKS if weeks else known["horizon"], days, known["covariates"])

    def to_options(self) -> dict[str, int]:
        """What a version keeps."""
        rare = {
            "period_days": (self.step, PERIOD_DAYS),
            "covariates": (self.slots, COVARIATES),
        }
        differing = {name: value for name, (value, usual) in rare.items() if value != usual.default}
        return {"horizon": self.horizon, **differing}
