"""How the recommendations learn and are judged. Neither scoring nor serving imports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.interactions import read_events
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
from daybreak.models.recommendations.learn import gate, rolling, untrained
from daybreak.models.recommendations.learn import train as training
from daybreak.models.recommendations.learn.hindsight import ListHindsight
from daybreak.models.recommendations.numbers import Numbers
from daybreak.registry.artifact import Artifact


class ListLearning(Learning):
    """Implements the facet."""

    hindsight = ListHindsight()

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. Options as for ``Nightly.entities``.

        Raises ``NoData``.
        """
        numbers = Numbers.chosen(options)
        days = numbers.history_days
        progress(f"Reading {days} days of interactions up to {as_of.business_date}")
        events = read_events(warehouse, as_of, days=days)
        return training.train_events(
            events,
            as_of.business_date,
            options=training.Options(numbers=numbers),
            lists=options,
            progress=progress,
        )

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate: against the best single source, and against the champion."""
        days = Numbers.of(challenger.manifest).history_days
        return gate.judge(
            lambda: read_events(warehouse, as_of, days=days),
            as_of.business_date,
            challenger,
            champion,
            progress,
        )

    def baseline(
        self,
        warehouse: Connection,
        as_of: AsOf,
        options: Options = NO_OPTIONS,
        challenger: Artifact | None = None,
    ) -> Baseline | None:
        """The best single source of the challenger's evidence, else what is popular."""
        if challenger is not None:
            return untrained.of_challenger(challenger)
        numbers = Numbers.chosen(options)
        events = read_events(warehouse, as_of, days=numbers.history_days)
        return untrained.of_events(events, as_of.business_date, numbers)

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """The last weekly windows up to ``last``. Options: ``windows``, and as for ``train``."""
        return rolling.roll(
            lambda day, days: read_events(warehouse, as_of(day), days=days),
            last,
            options,
            progress,
        )

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """The measures beside those of the single sources."""
        return rolling.describe(found)


LEARNING = ListLearning()
