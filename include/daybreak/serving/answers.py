"""From a typed request to its answer, by the same steps and the same bits as the nightly batch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import chain
from math import isfinite
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Table

from daybreak.errors import InvalidRequest
from daybreak.models.base import Float32, Model, ScoringRows, SnapshotRows
from daybreak.serving.encoding import json_values
from daybreak.serving.publications import Publication
from daybreak.serving.rows import RowCache

NOT_PREDICTED = frozenset({"business_date", "generation_id", "shard"})
"""Columns of a score table that the answer gives once, or that only batch needs."""


@cache
def prediction_columns(table: Table) -> tuple[str, ...]:
    """Identity and score columns of an answer: those of the score table, in its order."""
    return tuple(column.name for column in table.columns if column.name not in NOT_PREDICTED)


def answer(
    model: Model, publication: Publication, cache: RowCache, asked: BaseModel
) -> dict[str, Any]:
    """Score one request as of a publication; everything but ``latency_ms``.

    Raises ``NotFound`` (unknown entity), ``OutsideHorizon``, ``InvalidRequest`` or
    ``WarehouseUnavailable``.
    """
    generation = publication.generation
    snapshot = cache.get(model, generation, model.entity(asked))
    rows = model.request_rows(snapshot, generation.business_date, asked)
    scores = model.scores(publication.predictor.single(rows.features), rows, publication.manifest)
    published = _as_published(model, snapshot, generation.business_date, asked, rows)
    return {
        "model": model.name,
        "version": generation.version,
        "generation": generation.generation_id,
        "business_date": generation.business_date.isoformat(),
        "source": "published" if published else "live",
        "predictions": _records(model.score_table, rows, scores),
    }


def _records(table: Table, rows: ScoringRows, scores: dict[str, Float32]) -> list[dict[str, Any]]:
    columns = {name: json_values(column) for name, column in (rows.identity | scores).items()}
    if not all(map(isfinite, chain.from_iterable(columns[name] for name in scores))):
        raise InvalidRequest(
            "The request leads to a score that is not a finite number.",
            remedy="Give values of the size that the model has seen.",
            field="body",
        )
    names = prediction_columns(table)
    values = (columns[name] for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _as_published(
    model: Model, snapshot: SnapshotRows, business_date: date, asked: BaseModel, rows: ScoringRows
) -> bool:
    """Whether batch scored these very features for these very rows.

    A request of required fields only asks for what batch published. With an optional field
    (an override) the features decide: the planned price given again is still the published row.
    """
    optional = {name for name, field in type(asked).model_fields.items() if not field.is_required()}
    if not asked.model_fields_set & optional:
        return True
    batch = model.batch_rows(snapshot, business_date)
    scored = dict(_with_bits(batch))
    return all(scored.get(identity) == bits for identity, bits in _with_bits(rows))


def _with_bits(rows: ScoringRows) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Identity and feature bytes of each row."""
    columns = (rows.identity[name].tolist() for name in sorted(rows.identity))
    bits = (row.tobytes() for row in rows.features)
    return zip(zip(*columns, strict=True), bits, strict=True)
