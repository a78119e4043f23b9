"""What the period reports of the recommendations have: what was offered, and whether it was bought,
beside popularity."""

from __future__ import annotations

from daybreak.charts.tables import Column
from daybreak.warehouse.reports.section import Drawn, Section

_FINAL = (
    "Judged are the seven days after a business date; before all seven are closed its numbers "
    "still move. Popularity is one list for everybody, the 20 items of most buyers in 28 days."
)
_MEASURES = (
    Column("users", "users who bought", "number", 0),
    Column("purchases", "purchases", "number", 0),
    Column("purchases_met", "on their lists", "number", 0),
    Column("popular_purchases_met", "on the popular one", "number", 0),
    Column("hit_rate", "hit rate", "percent"),
    Column("popular_hit_rate", "hit rate, popularity", "percent"),
    Column("ndcg_10", "nDCG@10", "number", 4),
    Column("popular_ndcg_10", "nDCG@10, popularity", "number", 4),
    Column("recall_20", "recall@20", "percent"),
    Column("popular_recall_20", "recall@20, popularity", "percent"),
)
_COVERAGE = (
    Column("coverage", "items offered", "percent"),
    Column("popular_coverage", "items offered, popularity", "percent"),
)

# Means over users are weighed by them.
_HITS = """
    WITH hits AS MATERIALIZED (
        SELECT * FROM report.recommendation_hits WHERE business_date BETWEEN :first AND :last
    )
    SELECT 'day' AS level, business_date, days_closed, version, users, purchases, purchases_met,
        popular_purchases_met, hit_rate, popular_hit_rate, ndcg_10, popular_ndcg_10, recall_20,
        popular_recall_20, coverage, popular_coverage
    FROM hits
    UNION ALL
    SELECT 'all', NULL, min(days_closed), NULL, sum(users)::bigint, sum(purchases)::bigint,
        sum(purchases_met)::bigint, sum(popular_purchases_met)::bigint,
        sum(hit_rate * users) / nullif(sum(users), 0),
        sum(popular_hit_rate * users) / nullif(sum(users), 0),
        sum(ndcg_10 * users) / nullif(sum(users), 0),
        sum(popular_ndcg_10 * users) / nullif(sum(users), 0),
        sum(recall_20 * users) / nullif(sum(users), 0),
        sum(popular_recall_20 * users) / nullif(sum(users), 0),
        avg(coverage), avg(popular_coverage)
    FROM hits
    HAVING count(*) > 0
    ORDER BY level, business_date
"""
_OFFERED = """
    WITH offered AS MATERIALIZED (
        SELECT is_default, reason, category, item_id, item_name
        FROM report.recommendation_vintages
        WHERE business_date BETWEEN :first AND :last
    )
    SELECT
        CASE grouping(is_default, reason, category, item_id)
            WHEN 3 THEN 'reason' WHEN 13 THEN 'category' ELSE 'item'
        END AS level,
        CASE WHEN is_default THEN 'default list' ELSE 'own list' END AS list,
        reason, category, item_id, max(item_name) AS item_name,
        count(*) AS places,
        count(*)::float8 / (SELECT count(*) FROM offered) AS share
    FROM offered
    GROUP BY GROUPING SETS ((is_default, reason), (category), (item_id))
    ORDER BY places DESC, list, reason, category, item_id
"""
_PLACES = (
    Column("places", "places on lists", "number", 0),
    Column("share", "share", "percent"),
)
_NOTHING = "Nothing was published of this period, or none of the days after it is closed."

SECTIONS = (
    Section(
        id="hits",
        title="Did they buy it?",
        query=_HITS,
        level="all",
        columns=(Column("days_closed", "days closed, least", "number", 0), *_MEASURES, *_COVERAGE),
        numbers=True,
        note=_FINAL,
        nothing=_NOTHING,
    ),
    Section(
        id="hits_by_day",
        title="By business date",
        query=_HITS,
        level="day",
        columns=(
            Column("business_date", "business date", "date"),
            Column("days_closed", "days closed", "number", 0),
            *_MEASURES,
            *_COVERAGE,
            Column("version", "version"),
        ),
        drawn=Drawn("lines", "business_date", ("ndcg_10",), ("popular_ndcg_10",)),
        nothing=_NOTHING,
    ),
    Section(
        id="offered_by_reason",
        title="What was offered, by reason",
        query=_OFFERED,
        level="reason",
        columns=(Column("list", "list"), Column("reason", "reason"), *_PLACES),
        note="Users with a history have a list of their own; all others get the default one.",
        nothing="No list was published in this period.",
    ),
    Section(
        id="offered_by_category",
        title="By category",
        query=_OFFERED,
        level="category",
        columns=(Column("category", "category"), *_PLACES),
        drawn=Drawn("bars", "category", ("share",)),
        nothing="No list was published in this period.",
    ),
    Section(
        id="offered_by_item",
        title="By item",
        query=_OFFERED,
        level="item",
        columns=(Column("item_id", "item"), Column("item_name", "name"), *_PLACES),
        nothing="No list was published in this period.",
    ),
)
