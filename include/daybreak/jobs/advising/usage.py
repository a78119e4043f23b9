"""Who asks, as far as the warehouse knows: decisions that are kept, and look-ups in the scores."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, func, select, text

from daybreak.facts.days import newest_closed_day
from daybreak.models.base import AnyModel
from daybreak.warehouse.tables import decision

LAST_DAYS = 7


def decisions_a_day(conn: Connection, model: AnyModel) -> float | None:
    """The mean of the days up to the newest closed one that have any, of the last ``LAST_DAYS``;
    None where none were kept."""
    newest = newest_closed_day(conn)
    if newest is None or not model.decides:
        return None
    c = decision.c
    by_day = (
        select(func.count().label("decisions"))
        .where(
            c.model == model.name,
            c.business_date > newest - timedelta(days=LAST_DAYS),
            c.business_date <= newest,
        )
        .group_by(c.business_date)
        .subquery()
    )
    found = conn.scalar(select(func.avg(by_day.c.decisions)))
    return None if found is None else float(found)


def rows_read(conn: Connection, model: AnyModel) -> int | None:
    """Rows of the score table that were fetched by an index since its statistics began, by anybody,
    the platform's audits and reports included; None where the model has no such table."""
    if model.nightly is None:
        return None
    table = model.nightly.score_table
    found = conn.scalar(
        text(
            "SELECT sum(idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relid IN"
            " (SELECT relid FROM pg_partition_tree(to_regclass(:name)))"
        ),
        {"name": f"{table.schema}.{table.name}"},
    )
    return None if found is None else int(found)
