"""Rules between the rows of a published list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import FromClause, Select, func, select

from daybreak.models.recommendations.features.cells import firsts


def broken_in_lists(columns: Mapping[str, NDArray[Any]]) -> list[str]:
    """Columns of ``score.recommendation`` as ``Nightly.audit`` has them: the rules they break.

    That ranks end where they should is seen by the number of rows.
    """
    user, rank, item = (columns[name] for name in ("entity", "rank", "item_id"))
    order = np.lexsort((rank, user))
    user, rank, score = user[order], rank[order], columns["score"][order]
    first = firsts(user)
    begin = np.flatnonzero(first)
    place = np.arange(len(user)) - np.repeat(begin, np.diff([*begin, len(user)])) + 1
    by_item = np.lexsort((item, columns["entity"]))
    rules = {
        "ranks below 1": (rank < 1).any(),
        "ranks have gaps": (rank != place).any(),
        "scores rise with the rank": ((score[1:] > score[:-1]) & ~first[1:]).any(),
        "an item stands twice in a list": not firsts(user, item[by_item]).all(),
    }
    return [rule for rule, broken in rules.items() if broken]


def unknown_reasons(scored: FromClause, reasons: Sequence[str]) -> dict[str, Select[int]]:
    """By rule; ``scored`` has the columns of ``score.recommendation``."""
    unknown = select(func.count()).where(scored.c.reason.not_in(reasons))
    return {"reasons are unknown": unknown}
