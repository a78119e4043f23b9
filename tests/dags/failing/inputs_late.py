"""### Fails on purpose
Waits for a business day that nobody closes, as the nightly run does, and gives up at its limit.
Its test asserts what the task says, and that it says so at the first try."""

from __future__ import annotations

from airflow.sdk import PokeReturnValue, dag, task

from common import BUSINESS_DATE, DEFAULTS, KNOWLEDGE, START, this_run, waiting_since


@dag(
    schedule=None,
    start_date=START,
    default_args=DEFAULTS,
    params={"business_date": BUSINESS_DATE, "knowledge": KNOWLEDGE},
)
def inputs_late():
    """Wait in vain."""

    @task.sensor(mode="reschedule", poke_interval=0.2)
    def wait_for_inputs():
        from daybreak.jobs.inputs import day_is_ready

        run = this_run("sales_forecast")
        return PokeReturnValue(day_is_ready(run, waiting_since()), run)

    wait_for_inputs()


inputs_late()
