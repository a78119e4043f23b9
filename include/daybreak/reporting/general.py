"""The sections that the report of any model has, after those that the model declares."""

from __future__ import annotations

from daybreak.charts.tables import Column
from daybreak.warehouse.reports.section import Drawn, Section

_DAY = Column("business_date", "business date", "date")

SLA = Section(
    id="sla",
    title="In time",
    query="""
        SELECT business_date, status, due_at, landed_at, slack_seconds / 3600 AS slack_hours,
            queue_seconds, wait_seconds, score_seconds, publish_seconds, runs
        FROM report.sla_daily
        WHERE model = :model AND business_date BETWEEN :first AND :last
        ORDER BY business_date
    """,
    columns=(
        _DAY,
        Column("status", "status", "mark"),
        Column("due_at", "due (UTC)", "moment"),
        Column("landed_at", "out (UTC)", "moment"),
        Column("slack_hours", "slack, hours", "number", 2),
        Column("queue_seconds", "queue, s", "number"),
        Column("wait_seconds", "wait, s", "number"),
        Column("score_seconds", "score, s", "number"),
        Column("publish_seconds", "publish, s", "number"),
        Column("runs", "runs", "number", 0),
    ),
    note="A backfill never counts, and neither does a day that was late already when it began.",
    nothing="No run of a business date in this period is recorded.",
)

COST = Section(
    id="cost",
    title="What the runs took",
    query="""
        SELECT business_date, count(DISTINCT run_key) AS runs,
            count(*) AS steps, sum(shards)::bigint AS tasks,
            sum(seconds) AS seconds, sum(processor_seconds) AS processor_seconds,
            (sum(rows) FILTER (WHERE step = 'score_shard'))::bigint AS rows
        FROM report.step
        WHERE model = :model AND business_date BETWEEN :first AND :last
        GROUP BY business_date
        ORDER BY business_date
    """,
    columns=(
        _DAY,
        Column("runs", "runs", "number", 0),
        Column("steps", "steps", "number", 0),
        Column("tasks", "tasks", "number", 0),
        Column("seconds", "seconds by the clock", "number"),
        Column("processor_seconds", "processor seconds", "number"),
        Column("rows", "rows scored", "number", 0),
    ),
    drawn=Drawn("bars", "business_date", ("processor_seconds",), ("seconds",)),
    note="Of all runs of a business date, their tasks added up, each by its last try. PostgreSQL's "
    "own processor time is not counted; a sensor that waits counts by the clock.",
)

STEPS = Section(
    id="steps",
    title="By step",
    query="""
        SELECT step, count(*) AS runs, sum(shards)::bigint AS tasks, sum(seconds) AS seconds,
            sum(processor_seconds) AS processor_seconds, sum(rows)::bigint AS rows
        FROM report.step
        WHERE model = :model AND business_date BETWEEN :first AND :last
        GROUP BY step
        ORDER BY min(started_at), step
    """,
    columns=(
        Column("step", "step"),
        Column("runs", "runs", "number", 0),
        Column("tasks", "tasks", "number", 0),
        Column("seconds", "seconds by the clock", "number"),
        Column("processor_seconds", "processor seconds", "number"),
        Column("rows", "rows", "number", 0),
    ),
)

DRIFT = Section(
    id="drift",
    title="Drift",
    query="""
        SELECT business_date, kind, count(*) AS compared,
            max(distance / nullif(raise_at, 0)) AS nearest,
            count(*) FILTER (WHERE state = 'alarm') AS alarms
        FROM report.drift
        WHERE model = :model AND business_date BETWEEN :first AND :last
        GROUP BY business_date, kind
        ORDER BY business_date, kind
    """,
    columns=(
        _DAY,
        Column("kind", "what"),
        Column("compared", "compared", "number", 0),
        Column("nearest", "nearest to its limit", "number", 2),
        Column("alarms", "in alarm", "number", 0),
    ),
    note="How near the nearest is to its limit: above 1, on two nights one after the other, an "
    "alarm is raised.",
    nothing="No night of this period was measured.",
)

ALARMS = Section(
    id="alarms",
    title="In alarm",
    query="""
        SELECT business_date, kind, name, distance, raise_at, value, value_earlier, raised_on
        FROM report.drift
        WHERE model = :model AND business_date BETWEEN :first AND :last AND state = 'alarm'
        ORDER BY business_date, distance / nullif(raise_at, 0) DESC NULLS LAST, kind, name
    """,
    columns=(
        _DAY,
        Column("kind", "what"),
        Column("name", "name"),
        Column("distance", "distance", "number", 3),
        Column("raise_at", "limit", "number", 3),
        Column("value", "value", "number", 3),
        Column("value_earlier", "usual", "number", 3),
        Column("raised_on", "raised on", "date"),
    ),
    nothing="Nothing was in alarm.",
)

CHAMPIONS = Section(
    id="champions",
    title="Champions and versions",
    query="""
        SELECT published.version, history.trained_through, history.effective_from, history.actor,
            history.reason, coalesce(history.gate, 'not_judged') AS gate, history.measure,
            history.value, history.baseline, history.baseline_value, published.nights
        FROM (
            SELECT version, count(DISTINCT business_date) AS nights
            FROM report.run
            WHERE model = :model AND business_date BETWEEN :first AND :last
                AND outcome = 'published'
            GROUP BY version
        ) AS published
        LEFT JOIN LATERAL (
            SELECT *
            FROM report.model_history AS entry
            WHERE entry.model = :model AND entry.version = published.version
            ORDER BY entry.effective_from DESC NULLS LAST
            LIMIT 1
        ) AS history ON TRUE
        ORDER BY published.version
    """,
    columns=(
        Column("version", "version"),
        Column("nights", "nights", "number", 0),
        Column("trained_through", "learned through", "date"),
        Column("effective_from", "in force since (UTC)", "moment"),
        Column("actor", "by"),
        Column("reason", "why"),
        Column("gate", "gate", "mark"),
        Column("measure", "measure", "words"),
        Column("value", "value", "number", 3),
        Column("baseline", "best baseline", "words"),
        Column("baseline_value", "its value", "number", 3),
    ),
    note="Versions that published business dates of the period.",
)

TRIALS = Section(
    id="trials",
    title="Tried beside them",
    query="""
        SELECT kind, version, share, serve_from, until, actor, reason, gate
        FROM report.canary
        WHERE model = :model AND serve_from < CAST(:last AS date) + 2
            AND coalesce(until, 'infinity') >= :first
        ORDER BY serve_from, kind, version
    """,
    columns=(
        Column("kind", "as"),
        Column("version", "version"),
        Column("share", "share", "percent"),
        Column("serve_from", "from (UTC)", "moment"),
        Column("until", "until (UTC)", "moment"),
        Column("actor", "by"),
        Column("reason", "why"),
        Column("gate", "gate", "mark"),
    ),
    nothing="No version was tried.",
)

AGAIN = Section(
    id="published_again",
    title="Published again, withdrawn or refused",
    query="""
        SELECT business_date, run_key, run_type, generation_id, version, outcome, reason,
            started_at, published_at
        FROM report.run
        WHERE model = :model AND business_date BETWEEN :first AND :last
            AND outcome <> 'published'
        ORDER BY business_date, started_at, run_key
    """,
    columns=(
        _DAY,
        Column("outcome", "outcome", "mark"),
        Column("reason", "why"),
        Column("version", "version"),
        Column("generation_id", "generation", "number", 0),
        Column("run_type", "started by"),
        Column("started_at", "started (UTC)", "moment"),
        Column("published_at", "published (UTC)", "moment"),
        Column("run_key", "run"),
    ),
    note="Runs whose scores are not, or not any more, what is published of their day.",
    nothing="Every run of the period is what is published of its day.",
)

LATE_FACTS = Section(
    id="late_facts",
    title="Facts that came after their day was closed",
    query="""
        SELECT load.load_id, load.source, load.uri, load.first_date, load.last_date,
            load.rows_loaded, load.finished_at, max(day.closed_at) AS closed_at
        FROM report.load AS load
        JOIN report.day AS day
            ON day.business_date BETWEEN load.first_date AND load.last_date
            AND load.finished_at > day.closed_at
        WHERE day.business_date BETWEEN :first AND :last
            AND load.rows_loaded > 0 AND load.last_date >= :first AND load.first_date <= :last
        GROUP BY load.load_id, load.source, load.uri, load.first_date, load.last_date,
            load.rows_loaded, load.finished_at
        ORDER BY load.finished_at, load.load_id
    """,
    columns=(
        Column("source", "section"),
        Column("uri", "file"),
        Column("first_date", "from", "date"),
        Column("last_date", "to", "date"),
        Column("rows_loaded", "rows", "number", 0),
        Column("finished_at", "loaded (UTC)", "moment"),
        Column("closed_at", "closed (UTC)", "moment"),
        Column("load_id", "load", "number", 0),
    ),
    note="Loads about a day of the period that was closed already. What was measured before them "
    "may read otherwise here than in an earlier report of the period.",
    nothing="No load came after its day was closed.",
)

SECTIONS = (SLA, COST, STEPS, DRIFT, ALARMS, CHAMPIONS, TRIALS, AGAIN, LATE_FACTS)
