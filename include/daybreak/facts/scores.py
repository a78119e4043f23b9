"""What other models have published, as a model that stands on it may know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, select

from daybreak.clock import AsOf
from daybreak.errors import NoData, NotFound
from daybreak.warehouse.tables import generation as generations


@dataclass(frozen=True)
class Scores:
    """Published rows of a model, in the order of their key.

    ``columns``: (m,) by column of the score table, without date, generation and shard.
    """

    model: str
    generation_id: int
    columns: dict[str, NDArray[Any]]


_NOT_SCORES = frozenset({"business_date", "generation_id", "shard"})


def first_published(conn: Connection, model: str, business_date: date) -> datetime | None:
    """When scores of a business date were first published; None where none ever were."""
    moment: datetime | None = conn.scalar(
        select(func.min(generations.c.published_at)).where(
            generations.c.model == model, generations.c.business_date == business_date
        )
    )
    return moment


def read_scores(conn: Connection, model: str, table: Table, as_of: AsOf) -> Scores:
    """All rows of a business date, of the generation that was published at the cutoff.

    ``table``: the score table of ``model``. Raises ``NoData`` where none was.
    """
    c = generations.c
    found = conn.scalar(
        select(c.generation_id)
        .where(
            c.model == model,
            c.business_date == as_of.business_date,
            c.published_at <= as_of.cutoff,
            c.swept_at.is_(None),
        )
        .order_by(c.published_at.desc())
        .limit(1)
    )
    if found is None:
        raise NoData(
            f"No scores of {model} for {as_of.business_date} were published by "
            f"{as_of.cutoff.isoformat()}.",
            remedy=f"Score it first: `daybreak score {model} --business-date "
            f"{as_of.business_date}`.",
            model=model,
            business_date=as_of.business_date.isoformat(),
        )
    return Scores(model, int(found), _rows(conn, table, as_of.business_date, int(found), {}))


def read_entity_scores(
    conn: Connection,
    table: Table,
    business_date: date,
    generation_id: int,
    key: dict[str, str],
) -> dict[str, NDArray[Any]]:
    """The rows of one entity in a generation. Raises ``NotFound`` where it has none."""
    columns = _rows(conn, table, business_date, generation_id, key)
    if not len(next(iter(columns.values()))):
        named = ", ".join(f"{name} {value!r}" for name, value in key.items())
        raise NotFound(
            f"Nothing is published of {named} on {business_date}.",
            remedy="Only what had facts by the published business date has scores.",
            field=next(iter(key)).removesuffix("_id"),
            **key,
        )
    return columns


def _rows(
    conn: Connection, table: Table, business_date: date, generation_id: int, key: dict[str, str]
) -> dict[str, NDArray[Any]]:
    shown = [column for column in table.columns if column.name not in _NOT_SCORES]
    query = (
        select(*shown)
        .where(
            table.c.business_date == business_date,
            table.c.generation_id == generation_id,
            *(table.c[name] == value for name, value in key.items()),
        )
        .order_by(*table.primary_key.columns)
    )
    rows = conn.execute(query).all()
    by_column = list(zip(*rows, strict=True)) or [()] * len(shown)
    return {
        column.name: np.array(values, _dtype(column.type.python_type))
        for column, values in zip(shown, by_column, strict=True)
    }


def _dtype(kind: type) -> Any:
    return {float: np.float32, int: np.int64, date: "M8[D]", bool: np.bool_}.get(kind, object)
