"""How responses to prices are learned and judged. Neither scoring nor serving imports it."""

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
from daybreak.models.pricing.learn import backtest as backtesting
from daybreak.models.pricing.learn import gate
from daybreak.models.pricing.learn import train as training
from daybreak.registry.artifact import Artifact


class PricingLearning(Learning):
    """Implements the facet. The sales forecast is left as it is: responses are a model of their
    own over its published scores, and 1 at the planned price."""

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``."""
        return training.train(warehouse, as_of, progress, options)

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """At price changes held out: against no response, and against the champion."""
        return gate.judge(warehouse, as_of, challenger, champion, progress)

    def baseline(
        self,
        warehouse: Connection,
        as_of: AsOf,
        options: Options = NO_OPTIONS,
        challenger: Artifact | None = None,
    ) -> Baseline | None:
        """Every price stays."""
        return training.keep(warehouse, as_of)

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """Price changes after past origins. Options: ``origins``, ``weeks``, ``oracle``."""
        return backtesting.backtest(warehouse, last, as_of, options, progress)

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """The measures in lines for people."""
        return backtesting.describe(found)


LEARNING = PricingLearning()
