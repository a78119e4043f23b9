"""When a model's business dates are scored, and on what they wait.

Imports nothing heavy: a DAG file reads this of every installed model whenever Airflow parses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from daybreak import interval
from daybreak.interval import Interval


@dataclass(frozen=True)
class ScoresOf:
    """An input: what another model has published, as of the knowledge cutoff."""

    model: str


@dataclass(frozen=True)
class Schedule:
    """The nightly DAG of a model.

    ``dag_id``: None: ``daily_<model>``. ``description``: a sentence for Airflow's list of DAGs.
    ``inputs``: published scores that a run stands on; its DAG runs when they are out. ``needs``:
    the kinds of sections that a data set has to have for it. ``interval``: which business dates
    are scored; ``DAYBREAK_SCHEDULE_BY_MODEL`` overrides it. ``proves``: the model decides about
    events, and its decisions of the day are made again. ``asks``: a person may have to agree before
    scores are published (``Nightly.proposal``).
    """

    dag_id: str | None = None
    description: str = ""
    inputs: tuple[ScoresOf, ...] = ()
    needs: tuple[str, ...] = ()
    interval: Interval = interval.DAILY
    proves: bool = False
    asks: bool = False

    def dag_id_of(self, model: str) -> str:
        """The id of the nightly DAG of ``model``, whose schedule this is."""
        return self.dag_id or f"daily_{model}"


DAILY = Schedule()
"""Every business date, as soon as its facts are known."""
