"""Rules between the rows of a list, as queries that count what breaks them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import FromClause, Select, func, select


def broken_between_rows(scored: FromClause, reasons: Sequence[str]) -> dict[str, Select[int]]:
    """By rule; ``scored`` has the columns of ``score.recommendation``."""
    c = scored.c
    twice = (
        select(c.user_id).group_by(c.user_id, c.item_id).having(func.count() > 1).subquery("twice")
    )
    steps = select(
        c.rank,
        c.score,
        func.row_number().over(partition_by=c.user_id, order_by=c.rank).label("place"),
        func.lag(c.score).over(partition_by=c.user_id, order_by=c.rank).label("above"),
    ).subquery("steps")
    return {
        "an item stands twice in a list": select(func.count()).select_from(twice),
        "ranks have gaps": select(func.count()).where(steps.c.rank != steps.c.place),
        "scores rise with the rank": select(func.count()).where(steps.c.score > steps.c.above),
        "reasons are unknown": select(func.count()).where(c.reason.not_in(reasons)),
    }
