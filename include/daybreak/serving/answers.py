"""From a typed request to its answer, by the same steps and the same bits as the nightly batch."""

from __future__ import annotations

from functools import cache
from itertools import chain
from math import isfinite
from typing import Any

import numpy as np
from pydantic import BaseModel
from sqlalchemy import Table

from daybreak.errors import InvalidRequest
from daybreak.models.base import Columns, Model
from daybreak.serving.http.encoding import json_values
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
    generation, scorer = publication.generation, publication.scorer
    question = scorer.question(cache.get(model, generation, model.entity(asked)), asked)
    rows = question.rows
    columns = scorer.answers(publication.predictor.single(rows.features), rows)
    return {
        "model": model.name,
        "version": generation.version,
        "gate": publication.gate,
        "generation": generation.generation_id,
        "business_date": generation.business_date.isoformat(),
        "source": question.source,
        "predictions": _records(model.score_table, columns),
        **question.notes,
    }


def _records(table: Table, columns: Columns) -> list[dict[str, Any]]:
    listed = {name: json_values(column) for name, column in columns.items()}
    scores = (listed[name] for name, column in columns.items() if column.dtype == np.float32)
    if not all(map(isfinite, chain.from_iterable(scores))):
        raise InvalidRequest(
            "The request leads to a score that is not a finite number.",
            remedy="Give values of the size that the model has seen.",
            field="body",
        )
    names = prediction_columns(table)
    values = (listed[name] for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
