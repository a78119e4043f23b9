"""What the period reports of the prices have: what was proposed and bound, what became of it, and
who agreed."""

from __future__ import annotations

from daybreak.charts.tables import Column
from daybreak.warehouse.reports.section import Drawn, Section

_DAY = Column("business_date", "business date", "date")
_NOTHING = "No prices of this period are published."

_RESULTS = """
    WITH results AS MATERIALIZED (
        SELECT * FROM report.price_results WHERE business_date BETWEEN :first AND :last
    )
    SELECT 'day' AS level, business_date, currency, prices, changes, open, changes_closed,
        changes_in_force, margin_before, margin, actual_margin, kept, kept_margin,
        kept_actual_margin, within, basis
    FROM results
    UNION ALL
    SELECT 'all', NULL, currency, sum(prices)::bigint, sum(changes)::bigint, sum(open)::bigint,
        sum(changes_closed)::bigint, sum(changes_in_force)::bigint, sum(margin_before),
        sum(margin), sum(actual_margin), sum(kept)::bigint, sum(kept_margin),
        sum(kept_actual_margin),
        sum(within * (changes_in_force + kept)) / nullif(sum(changes_in_force + kept), 0), NULL
    FROM results
    GROUP BY currency
    ORDER BY level, business_date, currency
"""
_MEASURES = (
    Column("currency", "currency"),
    Column("prices", "prices", "number", 0),
    Column("changes", "to change", "number", 0),
    Column("open", "days not over", "number", 0),
    Column("changes_closed", "changes judged", "number", 0),
    Column("changes_in_force", "changes in force", "number", 0),
    Column("margin_before", "margin without them", "number", 2),
    Column("margin", "margin expected", "number", 2),
    Column("actual_margin", "margin that came", "number", 2),
    Column("kept", "prices kept", "number", 0),
    Column("kept_margin", "their margin expected", "number", 2),
    Column("kept_actual_margin", "their margin that came", "number", 2),
    Column("within", "sold within P10–P90", "percent"),
)

SECTIONS = (
    Section(
        id="results",
        title="What prices brought",
        query=_RESULTS,
        level="all",
        columns=_MEASURES,
        note="Sums are of prices whose days are all closed, that were in force on all of them, and "
        "whose cost is known. What was expected without a change nobody sees come true.",
        nothing=_NOTHING,
    ),
    Section(
        id="results_by_day",
        title="By business date",
        query=_RESULTS,
        level="day",
        columns=(_DAY, *_MEASURES, Column("basis", "forecast under it", "mark")),
        drawn=Drawn("bars", "business_date", ("margin", "actual_margin"), ("margin_before",)),
        nothing=_NOTHING,
    ),
    Section(
        id="rules",
        title="Which rules bound how many",
        query="""
            SELECT what, rule, sum(prices)::bigint AS prices, sum(gain) AS gain,
                sum(prices)::float8 / sum(sum(prices)) OVER ()::float8 AS share
            FROM report.price_night
            WHERE business_date BETWEEN :first AND :last
            GROUP BY what, rule
            ORDER BY prices DESC, what, rule
        """,
        columns=(
            Column("what", "price"),
            Column("rule", "rule", "words"),
            Column("prices", "prices", "number", 0),
            Column("share", "share", "percent"),
            Column("gain", "margin to gain", "number", 2),
        ),
        drawn=Drawn("bars", "rule", ("prices",)),
        nothing=_NOTHING,
    ),
    Section(
        id="outcomes",
        title="Changes that disappointed most, and least",
        query="""
            SELECT business_date, store_id, item_id, current_price::float8 AS current_price,
                price::float8 AS price, currency, first_day, last_day, days_in_force, days, units,
                units_p10, units_p90, actual_units, margin, actual_margin,
                actual_margin - margin AS beyond, rule
            FROM report.price_outcome
            WHERE business_date BETWEEN :first AND :last AND price <> current_price
                AND state = 'closed' AND days_in_force = days
            ORDER BY beyond NULLS LAST, business_date, store_id, item_id
        """,
        columns=(
            _DAY,
            Column("store_id", "store"),
            Column("item_id", "item"),
            Column("current_price", "price before", "number", 2),
            Column("price", "price", "number", 2),
            Column("currency", "currency"),
            Column("first_day", "from", "date"),
            Column("last_day", "to", "date"),
            Column("units", "units expected", "number"),
            Column("units_p10", "P10", "number"),
            Column("units_p90", "P90", "number"),
            Column("actual_units", "sold", "number"),
            Column("margin", "margin expected", "number", 2),
            Column("actual_margin", "margin that came", "number", 2),
            Column("beyond", "beyond it", "number", 2),
            Column("rule", "bound by", "words"),
        ),
        nothing="No change that was in force on all of its days is closed yet.",
    ),
    Section(
        id="proposals",
        title="Proposed changes",
        query="""
            SELECT business_date, store_id, item_id, current_price::float8 AS current_price,
                price::float8 AS price, currency, current_units, units, current_margin, margin,
                margin - current_margin AS gain, elasticity, rule, version
            FROM report.price_proposals
            WHERE business_date BETWEEN :first AND :last AND price <> current_price
            ORDER BY gain DESC, business_date, store_id, item_id
        """,
        columns=(
            _DAY,
            Column("store_id", "store"),
            Column("item_id", "item"),
            Column("current_price", "price before", "number", 2),
            Column("price", "proposed", "number", 2),
            Column("currency", "currency"),
            Column("current_units", "units", "number"),
            Column("units", "units then", "number"),
            Column("current_margin", "margin", "number", 2),
            Column("margin", "margin then", "number", 2),
            Column("gain", "gain", "number", 2),
            Column("elasticity", "elasticity", "number", 2),
            Column("rule", "bound by", "words"),
            Column("version", "version"),
        ),
        note="Those that gain most first.",
        nothing="No price was to change.",
    ),
    Section(
        id="approvals",
        title="Who agreed",
        query="""
            SELECT business_date, outcome, person, reason, prices, changes, up, most_changes,
                decided_at
            FROM report.price_approvals
            WHERE business_date BETWEEN :first AND :last
            ORDER BY business_date, decided_at
        """,
        columns=(
            _DAY,
            Column("outcome", "answer", "mark"),
            Column("person", "by"),
            Column("reason", "why"),
            Column("prices", "prices", "number", 0),
            Column("changes", "to change", "number", 0),
            Column("up", "to rise", "number", 0),
            Column("most_changes", "at most", "number", 0),
            Column("decided_at", "at (UTC)", "moment"),
        ),
        nothing="Nobody was asked.",
    ),
)
