"""The steps of a nightly run, each a call of the jobs that the command line calls too.

Holds no DAG. Which model a run carries is an argument; no step knows what it scores. A step whose
result no other step takes pushes none. Two push both an address, under a name of its own, and the
list that the next step is mapped over: a task that only passes a list on takes as long to start.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetAlias, PokeReturnValue, task

from agreement import FORM, Agreement, answer_of
from assets import DRIFTED, scores_of
from common import (
    SCHEDULES,
    SETTINGS,
    SHOWN,
    errors_shown,
    ingest_is_coming,
    show,
    these_events,
    this_run,
    waiting_since,
)


def score_a_day(model: str) -> None:
    """Wait for the day, take its features and score them in shards, audit, publish, record,
    measure.

    Where its model decides about events, make the decisions again beside that.
    """
    day = wait_for_inputs(model)
    if SCHEDULES[model].proves:
        prove(day)
    to_read = plan_snapshot(day)
    snapshot = to_read["snapshot"]
    to_build = share_snapshot(snapshot)
    read_shard.partial(snapshot=snapshot).expand(shard=to_read) >> to_build
    to_score = plan_shards(snapshot)
    build_shard.partial(snapshot=snapshot).expand(shard=to_build) >> to_score
    generation = to_score["generation"]
    scored = score_shard.partial(generation=generation).expand(shard=to_score)
    announce = publish.override(outlets=[scores_of(model)])
    audited = audit(generation)
    scored >> audited
    if SCHEDULES[model].asks:
        asked = ask(generation)
        audited >> asked
        generation = decide(generation, agree(asked))
    published = announce(generation)
    audited >> published >> [record_sla(generation), measure_drift(generation)]


@task.sensor(
    mode="reschedule",  # frees its slot between two looks
    poke_interval=SETTINGS.poll_seconds,
    timeout=timedelta(minutes=SETTINGS.wait_limit_minutes, hours=1),  # InputsLate comes first
    map_index_template=SHOWN,
)
def wait_for_inputs(model):
    """Look whether the business day is closed; say what is missing; give up after the limit."""
    from airflow.sdk.exceptions import AirflowSkipException

    from daybreak.jobs.addresses import day_of
    from daybreak.jobs.dates import left_out
    from daybreak.jobs.waiting import look_for_inputs, needless

    with errors_shown():
        run = this_run(model)
        if reason := needless(run):
            show(reason)
            raise AirflowSkipException(reason)
        look = look_for_inputs(run, waiting_since(), ingest_is_coming)
    show(look.text + left_out(these_events(), day_of(run)))
    return PokeReturnValue(look.ready, run)


@task(do_xcom_push=False, map_index_template=SHOWN)
def prove(run):
    """Make the decisions of the day again from the log, and compare tiles with it."""
    from daybreak.jobs import proving

    with errors_shown():
        found = proving.prove_decisions(run)
    show(f"{found['decisions']:,} decisions proven")


@task
def plan_snapshot(run, ti=None):
    """Begin the day's feature rows, as the knowledge cutoff sees them; say which ranges to read."""
    from daybreak.jobs import snapshots

    snapshot = snapshots.plan_snapshot(run)
    ti.xcom_push("snapshot", snapshot)
    return snapshots.shards_to_read(snapshot)


@task(
    doc_md="Read the facts of one range.",  # mapped: a docstring is not shown
    do_xcom_push=False,
    max_active_tis_per_dag=4,
    map_index_template="shard {{ shard }}",
)
def read_shard(snapshot, shard):
    """See ``doc_md``."""
    from daybreak.jobs import snapshots

    return snapshots.read_shard(snapshot, shard)


@task(trigger_rule="none_failed_min_one_success")  # there may be no range to read
def share_snapshot(snapshot):
    """Make what all ranges have in common, and say which are to build."""
    from daybreak.jobs import snapshots

    return snapshots.share_snapshot(snapshot)


@task(
    doc_md="Write the feature rows of one range.",
    do_xcom_push=False,
    max_active_tis_per_dag=4,
    map_index_template="shard {{ shard }}",
)
def build_shard(snapshot, shard):
    """See ``doc_md``."""
    from daybreak.jobs import snapshots

    return snapshots.build_shard(snapshot, shard)


@task(trigger_rule="none_failed_min_one_success")  # there may be no range to build
def plan_shards(snapshot, ti=None):
    """See that all feature rows are there, open a generation for the champion, and cut it."""
    from daybreak.jobs import scoring, snapshots

    generation = scoring.open_generation(snapshots.finish_snapshot(snapshot))
    ti.xcom_push("generation", generation)
    return scoring.plan_shards(generation)


@task(
    doc_md="Score one range; the rows are invisible yet.",  # mapped: a docstring is not shown
    do_xcom_push=False,
    max_active_tis_per_dag=4,
    map_index_template="shard {{ shard['shard'] }}",
)
def score_shard(generation, shard):
    """See ``doc_md``."""
    from daybreak.jobs import scoring

    return scoring.score_shard(generation, shard)


@task(do_xcom_push=False)
def audit(generation):
    """Check every rule that published scores keep."""
    from daybreak.jobs import scoring

    return scoring.audit(generation)


@task
def ask(generation):
    """Say what a person has to agree to before it is published, if anything."""
    from daybreak.jobs import approving

    with errors_shown():
        return approving.ask(generation)


def agree(asked):
    """Wait for a person, where one is asked: "Required Actions" in Airflow, or its API."""
    # How long somebody may take is asked with the rest; a limit of the step would end the wait.
    return Agreement(
        task_id="agree",
        asked=asked,
        params=FORM,
        execution_timeout=None,
        doc_md="Wait for somebody who agrees, where the rules of the data set ask for one.",
    ).output


@task
def decide(generation, answer):
    """Keep the answer; go on with what is to be published by it, if anything."""
    from airflow.sdk.exceptions import AirflowSkipException

    from daybreak.jobs import approving

    with errors_shown():
        found = approving.decide(generation, **answer_of(answer))
    if found is None:
        show("not published; what was published before stays")
        raise AirflowSkipException("Nobody agreed: what was published before stays.")
    return found


@task(do_xcom_push=False)
def publish(generation, outlet_events=None):
    """Show the whole day at once."""
    from daybreak.jobs import publishing

    outlet_events[scores_of(generation["model"])].extra = publishing.publish(generation)


@task(do_xcom_push=False)
def record_sla(generation):
    """Say whether it was in time."""
    from daybreak.jobs import publishing

    return publishing.record_sla(generation)


@task(do_xcom_push=False, outlets=[AssetAlias(DRIFTED.name)])
def measure_drift(generation, outlet_events=None):
    """Compare the night with earlier ones and with the training; raise and clear alarms."""
    from daybreak.jobs import drift

    with errors_shown():
        found = drift.measure(generation)
    if found["raised"]:
        show(f"drift of {', '.join(found['raised'])}")
        # Only then an event, so that training starts once for an alarm.
        outlet_events[AssetAlias(DRIFTED.name)].add(DRIFTED, extra=found)
