"""### Fails on purpose
Waits for a business day that is never closed, as the nightly run does, and gives up at its limit.
Its test asserts what the task says, and that it says so at the first try."""

from __future__ import annotations

from airflow.sdk import PokeReturnValue, dag, task

from common import (
    BUSINESS_DATE,
    DEFAULTS,
    KNOWLEDGE,
    SHOWN,
    START,
    errors_shown,
    show,
    this_run,
    waiting_since,
)


@dag(
    schedule=None,
    start_date=START,
    default_args=DEFAULTS,
    params={"business_date": BUSINESS_DATE, "knowledge": KNOWLEDGE},
)
def inputs_late():
    """Wait in vain."""

    @task.sensor(mode="reschedule", poke_interval=0.2, map_index_template=SHOWN)
    def wait_for_inputs():
        from daybreak.jobs.waiting import look_for_inputs

        with errors_shown():
            run = this_run("sales_forecast") | {"run_type": "scheduled"}
            look = look_for_inputs(run, waiting_since())
        show(look.text)
        return PokeReturnValue(look.ready, run)

    wait_for_inputs()


inputs_late()
