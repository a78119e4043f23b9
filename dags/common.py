"""What the DAGs have in common: schedules, retries, the trigger form, the address of a run.

Holds no DAG. Imports stay light: ``daybreak.settings`` and ``daybreak.errors`` import neither
SQLAlchemy nor numpy, and take some 20 ms.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import (
    AssetOrTimeSchedule,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
    RetryDecision,
    RetryPolicy,
    get_current_context,
)
from airflow.sdk.exceptions import AirflowRuntimeError

from assets import FACTS, scores_of
from daybreak.clock import between, shortest_night
from daybreak.errors import ConfigError, DaybreakError
from daybreak.jobs.addresses import RunAddress, run_address, run_key
from daybreak.jobs.dates import resolve_business_date
from daybreak.jobs.deadline import record_missed_deadline
from daybreak.models import interval_of, schedules
from daybreak.models.offered import carried
from daybreak.settings import load_settings
from daybreak_timetable import NightlyTimetable
from lineage import watch

SETTINGS = load_settings()
SCHEDULES = schedules()
CARRIED = carried(SCHEDULES, SETTINGS.dataset)
"""The schedules of the models that the data set can carry, which have DAGs."""

START = datetime(2009, 1, 1, tzinfo=UTC)  # before any data set: a backfill goes as far back as it

LONGEST_SHOWN = 250  # as long as Airflow's column


def by_the_clock(timetable: Any) -> Any:
    """A schedule, or none where the clock is off (DAYBREAK_SCHEDULE)."""
    return timetable if SETTINGS.schedule else None


class UnlessFinal(RetryPolicy):
    """Tries again, unless the class of the error says that a person has to act first."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        """Airflow asks this where a task has failed."""
        if isinstance(exception, DaybreakError) and exception.final:
            return RetryDecision.fail("The error says what to do; trying again would not help.")
        return RetryDecision.default()


DEFAULTS: dict[str, Any] = {
    "owner": "daybreak",
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=30),
    "retry_policy": UnlessFinal(),
    "on_execute_callback": watch,
}

BUSINESS_DATE = Param(
    None,
    type=["null", "string"],
    format="date",
    title="Business date",
    description="The last day whose facts are known. Empty: the run's logical date.",
)
KNOWLEDGE = Param(
    "as_was",
    type="string",
    enum=["as_was", "latest"],
    title="Knowledge",
    description="as_was: what the day's first run knew. latest: with corrections since then.",
)


BY_HAND = f"""

#### By hand
The logical date of a run is its business date at {SETTINGS.run_at:%H:%M} ({SETTINGS.timezone}). A
backfill's two ends are moments: one that ends at midnight leaves out its last day, so let it end at
23:59. The trigger form proposes the present moment as the logical date, which is a day that is not
over: fill in *Business date*. A run that would wait for what cannot come is refused at once.
"""


def schedule_of(model: str) -> NightlyTimetable | AssetOrTimeSchedule:
    """What starts the runs of ``model``: the clock, or the assets of its inputs.

    The logical date of a run is the business date itself; the clock's run starts on the day after.
    Beside assets the timetable is there for backfills.
    """
    interval = interval_of(model, SETTINGS)
    assets = [scores_of(one.model) for one in SCHEDULES[model].inputs]
    if interval.on_data and not assets:
        assets = [FACTS]
    nights = NightlyTimetable(
        f"{SETTINGS.run_at.minute} {SETTINGS.run_at.hour} * * *",
        timezone=SETTINGS.timezone,
        clock=SETTINGS.schedule,
        weekday=interval.weekday,
        beside_asset=bool(assets),
    )
    return AssetOrTimeSchedule(timetable=nights, assets=assets) if assets else nights


def nightly(model: str, doc: str | None) -> dict[str, Any]:
    """The arguments of a DAG that scores a business date of ``model`` every night.

    ``doc`` is the docstring of its file; a section on manual runs is added.
    """
    schedule = SCHEDULES[model]
    return {
        "dag_id": schedule.dag_id_of(model),
        "description": schedule.description
        or f"Scores one business date of {model} and publishes it at once.",
        "doc_md": (doc or "").rstrip() + BY_HAND,
        "schedule": schedule_of(model),
        "start_date": START,
        "catchup": False,
        "max_active_runs": 4,
        "deadline": landed_in_time(model),
        "default_args": DEFAULTS,
        "params": {"business_date": BUSINESS_DATE, "knowledge": KNOWLEDGE},
        "tags": ["daybreak", "scoring", model],
    }


def landed_in_time(model: str) -> DeadlineAlert:
    """The alert that fires when the model's due time passes. Its callback ignores backfills."""
    due, run_at = SETTINGS.due_for(model), SETTINGS.run_at
    if between(run_at, due) <= timedelta(0):
        raise ConfigError(
            f"{model} is due at {due}, which is not after its run at {run_at}.",
            remedy="Set DAYBREAK_DUE (or DAYBREAK_DUE_BY_MODEL) later than DAYBREAK_RUN_AT.",
            field="DAYBREAK_DUE",
        )
    # The shortest night: an alert that fires early waits, one that fires late is late.
    night = shortest_night(run_at, due, SETTINGS.timezone)
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        # What waits for other scores is queued when these are out, some time after the night began.
        interval=night / 2 if SCHEDULES[model].inputs else night,
        callback=AsyncCallback(record_missed_deadline, kwargs={"model": model}),
        name=f"{model} landed by {due:%H:%M}",
    )


def this_run(model: str) -> RunAddress:
    """The address of the run that the calling task belongs to. Raises ``NoBusinessDate``."""
    context = get_current_context()
    dag_run, params = context["dag_run"], context["params"]
    run_type = str(dag_run.run_type.value)
    return run_address(
        run_key=run_key(dag_run.dag_id, dag_run.run_id),
        run_type=run_type,
        model=model,
        business_date=this_business_date(),
        knowledge=params["knowledge"],
        # run_after is when the run was to start; that of a backfill is years in the past.
        queued_at=None if run_type == "backfill" else dag_run.run_after,
    )


def this_business_date() -> date:
    """The business date of the run that the calling task belongs to."""
    context = get_current_context()
    dag_run = context["dag_run"]
    return resolve_business_date(
        logical_date=dag_run.logical_date,
        conf={"business_date": context["params"]["business_date"]},
        run_type=str(dag_run.run_type.value),
        timezone=SETTINGS.timezone,
        run_at=SETTINGS.run_at,
        events=these_events(),
    )


def these_events() -> list[dict[str, Any]]:
    """What the asset events say that started the run of the calling task."""
    return [event.extra for event in get_current_context()["dag_run"].consumed_asset_events]


def waiting_since() -> str | None:
    """When this try of the calling sensor first looked (ISO 8601); None where it does so now."""
    context = get_current_context()
    first = context["ti"].get_first_reschedule_date(context)
    return first.isoformat() if first else None


def ingest_is_coming() -> bool:
    """Whether `ingest` is under way, or the clock will start it.

    True where there is no such DAG, or Airflow does not answer: facts may come in another way.
    """
    ti = get_current_context()["ti"]
    try:
        if ti.get_dr_count(dag_id="ingest", states=["queued", "running"]):
            return True
        return SETTINGS.schedule and not ti.get_dag(dag_id="ingest").is_paused
    except AirflowRuntimeError:
        return SETTINGS.schedule


SHOWN = "{{ shown | default('', true) }}"
"""The ``map_index_template`` of a task that calls ``show``."""


def show(text: object) -> None:
    """Show a text for the calling task in the column Map Index of the run's task list.

    It is the only text that a task can show there: a note can be set over the API only.
    """
    get_current_context()["shown"] = textwrap.shorten(str(text), LONGEST_SHOWN, placeholder=" …")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show the error that ends the calling task, which says what to do."""
    try:
        yield
    except DaybreakError as error:
        show(error)
        raise
