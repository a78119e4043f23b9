"""What the period reports of the fraud model have: frauds found and missed, what was to review, how
long answers took, and whether they were proven."""

from __future__ import annotations

from daybreak.charts.tables import Column
from daybreak.warehouse.reports.section import Drawn, Section

_DAY = Column("business_date", "business date", "date")
_NOTHING = "No business date of this period is published."

# A materialized day: each is worked out from its scores and the labels since.
_QUALITY = """
    WITH quality AS MATERIALIZED (
        SELECT * FROM report.fraud_quality WHERE business_date BETWEEN :first AND :last
    )
    SELECT 'day' AS level, business_date, mature, events, cards, frauds, expected_frauds, auc,
        estimated_auc, average_precision, estimated_average_precision, card_precision,
        estimated_card_precision, caught_value, missed_value, version
    FROM quality
    UNION ALL
    SELECT 'all', NULL, bool_and(mature), sum(events)::bigint, sum(cards)::bigint,
        sum(frauds)::bigint, sum(expected_frauds), avg(auc), avg(estimated_auc),
        avg(average_precision), avg(estimated_average_precision), avg(card_precision),
        avg(estimated_card_precision), sum(caught_value), sum(missed_value), NULL
    FROM quality
    HAVING count(*) > 0
    ORDER BY level, business_date
"""
_MEASURES = (
    Column("mature", "labels are in"),
    Column("events", "events", "number", 0),
    Column("frauds", "known frauds", "number", 0),
    Column("expected_frauds", "expected frauds", "number"),
    Column("auc", "AUC", "number", 3),
    Column("estimated_auc", "AUC, estimated", "number", 3),
    Column("average_precision", "average precision", "number", 3),
    Column("estimated_average_precision", "average precision, estimated", "number", 3),
    Column("card_precision", "card precision", "percent"),
    Column("estimated_card_precision", "card precision, estimated", "percent"),
    Column("caught_value", "caught, amount", "number", 2),
    Column("missed_value", "missed, amount", "number", 2),
)

SECTIONS = (
    Section(
        id="quality",
        title="Did we find the frauds?",
        query=_QUALITY,
        level="all",
        columns=_MEASURES,
        numbers=True,
        note="Measures of a day are averaged over the days. Until labels are in, many frauds are "
        "not known: the estimates say what they will be, if the probabilities are right.",
        nothing=_NOTHING,
    ),
    Section(
        id="quality_by_day",
        title="By business date",
        query=_QUALITY,
        level="day",
        columns=(
            _DAY,
            *_MEASURES,
            Column("cards", "cards", "number", 0),
            Column("version", "version"),
        ),
        drawn=Drawn(
            "lines", "business_date", ("average_precision",), ("estimated_average_precision",)
        ),
        nothing=_NOTHING,
    ),
    Section(
        id="budgets",
        title="What a larger budget finds",
        query="""
            SELECT budget, count(*) AS cards, avg(known_fraud::int)::float8 AS with_fraud,
                sum(expected_loss) FILTER (WHERE known_fraud) AS loss
            FROM report.fraud_queue
            JOIN (VALUES (10), (20), (50), (100)) AS choice (budget) ON rank <= budget
            WHERE business_date BETWEEN :first AND :last
            GROUP BY budget
            ORDER BY budget
        """,
        columns=(
            Column("budget", "cards a day", "number", 0),
            Column("cards", "cards", "number", 0),
            Column("with_fraud", "with a known fraud", "percent"),
            Column("loss", "expected loss of these", "number", 2),
        ),
        nothing="Nothing was to review.",
    ),
    Section(
        id="queue",
        title="What was to review",
        query="""
            SELECT business_date, rank, key, events, reviews, blocks, event_id, event_at,
                probability, decision, amount, expected_loss, known_fraud, version
            FROM report.fraud_queue
            WHERE business_date BETWEEN :first AND :last
            ORDER BY expected_loss DESC NULLS LAST, business_date, rank
        """,
        columns=(
            _DAY,
            Column("rank", "rank", "number", 0),
            Column("key", "key"),
            Column("events", "events", "number", 0),
            Column("reviews", "reviews", "number", 0),
            Column("blocks", "blocks", "number", 0),
            Column("event_id", "event"),
            Column("event_at", "at (UTC)", "moment"),
            Column("probability", "probability", "number", 3),
            Column("decision", "decision", "mark"),
            Column("amount", "amount", "number", 2),
            Column("expected_loss", "expected loss", "number", 2),
            Column("known_fraud", "known fraud"),
            Column("version", "version"),
        ),
        note="The most money first.",
        nothing="Nothing was to review.",
    ),
    Section(
        id="latency",
        title="How long answers took",
        query="""
            SELECT stream, business_date, sum(decisions)::bigint AS decisions,
                sum(stale)::bigint AS stale, max(p50_ms) AS p50_ms, max(p99_ms) AS p99_ms,
                max(max_ms) AS max_ms,
                sum(within_40_ms * decisions) / sum(decisions) AS within_40_ms
            FROM report.fraud_latency
            WHERE business_date BETWEEN :first AND :last
            GROUP BY stream, business_date
            ORDER BY stream, business_date
        """,
        columns=(
            Column("stream", "stream"),
            _DAY,
            Column("decisions", "answers", "number", 0),
            Column("stale", "without the warehouse", "number", 0),
            Column("p50_ms", "p50, worst hour, ms", "number", 1),
            Column("p99_ms", "p99, worst hour, ms", "number", 1),
            Column("max_ms", "longest, ms", "number", 1),
            Column("within_40_ms", "within 40 ms", "percent"),
        ),
        nothing="Nobody asked in this period.",
    ),
    Section(
        id="proof",
        title="Decisions made again",
        query="""
            SELECT business_date, CASE WHEN proven THEN 'proven' ELSE 'not_proven' END AS state,
                decisions, decisions_made, differing, wrong_tiles, finding, proven_at
            FROM report.fraud_proof
            WHERE business_date BETWEEN :first AND :last
            ORDER BY business_date
        """,
        columns=(
            _DAY,
            Column("state", "proof", "mark"),
            Column("decisions", "made again", "number", 0),
            Column("decisions_made", "decisions", "number", 0),
            Column("differing", "differ", "number", 0),
            Column("wrong_tiles", "wrong tiles", "number", 0),
            Column("finding", "finding"),
            Column("proven_at", "found (UTC)", "moment"),
        ),
        nothing="No night has looked at this period.",
    ),
)
