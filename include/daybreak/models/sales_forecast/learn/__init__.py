"""How the sales forecast learns and is judged. Neither scoring nor serving imports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.models.base import (
    NO_OPTIONS,
    AsOfDay,
    Baseline,
    Learning,
    Options,
    Progress,
    Trained,
    Verdict,
    quiet,
)
from daybreak.models.sales_forecast.learn import gate, rolling, untrained
from daybreak.models.sales_forecast.learn import train as training
from daybreak.models.sales_forecast.learn.hindsight import ForecastHindsight
from daybreak.registry.artifact import Artifact


class ForecastLearning(Learning):
    """Implements the facet."""

    hindsight = ForecastHindsight()

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. The option is ``horizon``."""
        return training.train(warehouse, as_of, progress, options)

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """Against the baselines, and against the champion on days new to both."""
        return gate.judge(warehouse, as_of, challenger, champion, progress)

    def baseline(
        self,
        warehouse: Connection,
        as_of: AsOf,
        options: Options = NO_OPTIONS,
        challenger: Artifact | None = None,
    ) -> Baseline | None:
        """The best formula on the days that the challenger's training held out."""
        return untrained.baseline(warehouse, as_of, options, challenger)

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """Rolling origins up to ``last``. Options: ``items``, ``horizon``, ``origins``."""
        return rolling.roll(warehouse, last, as_of, options, progress)

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """The measures beside those of the baselines."""
        return rolling.describe(found)


LEARNING = ForecastLearning()
