"""The two shapes of table that a model has: its snapshots and its scores.

A model from outside the package makes its own with the same two functions;
``daybreak warehouse migrate`` creates them where they are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, MetaData, Table, Text

from daybreak.warehouse.reports.view import View


@dataclass(frozen=True)
class ModelRelations:
    """Tables of models, and their report views in the order of making."""

    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()


NOTHING = ModelRelations()

_BY_MONTH = "RANGE (business_date)"
"""``partitions.ensure_partition`` makes the months."""


def snapshot_table(name: str, keys: Sequence[str], metadata: MetaData | None = None) -> Table:
    """``feature.<name>``: a row an entity, keyed by the text columns ``keys``.

    ``metadata``: by default one of its own.
    """
    return Table(
        name,
        MetaData() if metadata is None else metadata,
        Column("business_date", Date, primary_key=True),
        Column("snapshot_id", BigInteger, primary_key=True),
        *(Column(key, Text, primary_key=True) for key in keys),
        Column(
            "ordinal", Integer, nullable=False, comment="position in key order; shards are ranges"
        ),
        Column("features", LargeBinary, nullable=False, comment="little-endian float32"),
        Index(f"snapshot_{name}_by_ordinal", "snapshot_id", "ordinal"),
        schema="feature",
        postgresql_partition_by=_BY_MONTH,
    )


def score_table(
    name: str,
    identity: Sequence[Column[Any]],
    scores: Sequence[Column[Any]],
    metadata: MetaData | None = None,
) -> Table:
    """``score.<name>``: the rows of its generations.

    ``identity``: what a row is about; the columns with ``primary_key=True`` make it unique in
    its generation. ``scores``: what the model says of it. Comments of both stand in the
    description of the API. ``metadata``: by default one of its own.
    """
    return Table(
        name,
        MetaData() if metadata is None else metadata,
        Column("business_date", Date, primary_key=True),
        Column("generation_id", BigInteger, primary_key=True),
        *identity,
        Column("shard", Integer, nullable=False),
        *scores,
        schema="score",
        postgresql_partition_by=_BY_MONTH,
    )
