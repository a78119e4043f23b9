"""### Daily sales forecast
Scores one business date and publishes it atomically: readers see the whole day or none of it.
The run for day D starts on the day after and forecasts the 28 days that follow D.

Any day can be run again, by clearing it, by hand or by a backfill. A run uses only what was known
when the day's first run was due, so it gives the same numbers (`knowledge: latest` takes in the
corrections since then). Runbook: docs/runbook.md. Times and metrics: docs/sla.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, PokeReturnValue, dag, task

from house import (
    BUSINESS_DATE,
    DEFAULTS,
    KNOWLEDGE,
    NIGHTLY,
    SETTINGS,
    START,
    landed_in_time,
    this_run,
    waiting_since,
)

MODEL = "sales_forecast"
PUBLISHED = Asset(f"{MODEL}_published", uri=f"daybreak://warehouse/score/{MODEL}")


@dag(
    dag_id="daily_forecast",
    schedule=NIGHTLY,
    start_date=START,
    catchup=False,
    max_active_runs=4,
    deadline=landed_in_time(MODEL),
    default_args=DEFAULTS,
    params={"business_date": BUSINESS_DATE, "knowledge": KNOWLEDGE},
    doc_md=__doc__,
    tags=["daybreak", "scoring", MODEL],
)
def daily_forecast():
    """Wait for the day, take its features, score them in shards, audit, publish, record."""

    @task.sensor(
        mode="reschedule",  # frees its slot between two looks
        poke_interval=SETTINGS.poll_seconds,
        timeout=timedelta(minutes=SETTINGS.wait_limit_minutes, hours=1),  # InputsLate comes first
    )
    def wait_for_inputs():
        """Look whether the business day is closed; give up after the wait limit."""
        from daybreak.jobs.inputs import day_is_ready

        run = this_run(MODEL)
        return PokeReturnValue(day_is_ready(run, waiting_since()), run)

    @task
    def build_snapshot(run):
        """Write the day's feature rows, as the knowledge cutoff sees them."""
        from daybreak.jobs import scoring

        return scoring.build_snapshot(run)

    @task
    def open_generation(snapshot):
        """Open a generation for the champion at that cutoff."""
        from daybreak.jobs import scoring

        return scoring.open_generation(snapshot)

    @task
    def plan_shards(generation):
        """Cut the snapshot into ranges."""
        from daybreak.jobs import scoring

        return scoring.plan_shards(generation)

    @task(
        doc_md="Score one range; nobody sees the rows yet.",  # mapped: a docstring is not shown
        max_active_tis_per_dag=4,
        map_index_template="shard {{ shard['shard'] }}",
    )
    def score_shard(generation, shard):
        from daybreak.jobs import scoring

        return scoring.score_shard(generation, shard)

    @task
    def audit(generation):
        """Check every rule that published scores keep."""
        from daybreak.jobs import scoring

        return scoring.audit(generation)

    @task(outlets=[PUBLISHED])
    def publish(generation, outlet_events=None):
        """Show the whole day at once."""
        from daybreak.jobs import publishing

        outlet_events[PUBLISHED].extra = publishing.publish(generation)

    @task
    def record_sla(generation):
        """Say whether it was in time."""
        from daybreak.jobs import publishing

        return publishing.record_sla(generation)

    generation = open_generation(build_snapshot(wait_for_inputs()))
    scored = score_shard.partial(generation=generation).expand(shard=plan_shards(generation))
    scored >> audit(generation) >> publish(generation) >> record_sla(generation)


daily_forecast()
