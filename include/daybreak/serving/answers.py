"""From a typed request to its answer, by the same steps and the same bits as the nightly batch."""

from __future__ import annotations

from itertools import chain
from math import isfinite
from typing import Any

import numpy as np
from pydantic import BaseModel
from sqlalchemy import Table

from daybreak.errors import InvalidRequest
from daybreak.models.base import AnyModel, Columns, Questions
from daybreak.serving.http.encoding import json_values
from daybreak.serving.inputs import Inputs
from daybreak.serving.publications import Publication

NOT_PREDICTED = frozenset({"business_date", "generation_id", "shard"})
"""Columns of a score table that the answer gives once, or that only batch needs."""


def prediction_columns(model: AnyModel) -> tuple[str, ...]:
    """Columns of a prediction, in order: those of its form, or of the score table."""
    if model.endpoint.prediction is not None:
        return tuple(model.endpoint.prediction.model_fields)
    return score_columns(model.night.score_table)


def score_columns(table: Table) -> tuple[str, ...]:
    """Identity and score columns of a score table, in its order."""
    return tuple(column.name for column in table.columns if column.name not in NOT_PREDICTED)


def answer(
    model: AnyModel, publication: Publication, inputs: Inputs, asked: BaseModel
) -> dict[str, Any]:
    """Score one request as of a publication; everything but ``latency_ms``.

    Raises ``NotFound`` (unknown entity), ``OutsideHorizon``, ``InvalidRequest`` or
    ``WarehouseUnavailable``.
    """
    given, watermark = inputs.of(model, publication, asked)
    rows = publication.scorer.rows(given, Questions.of([asked]))
    answers = rows.answers(publication.engine.single(rows.features))
    remarks = rows.remarks(0)
    generation = publication.generation
    if generation is not None:
        basis = {
            "generation": generation.generation_id,
            "business_date": generation.business_date.isoformat(),
        }
    else:
        basis = {"watermark": watermark.isoformat()}
    return {
        "model": model.name,
        "version": publication.version,
        "gate": publication.gate,
        **basis,
        "source": remarks.source,
        "predictions": _records(prediction_columns(model), answers.of(0)),
        **remarks.notes,
    }


def _records(names: tuple[str, ...], columns: Columns) -> list[dict[str, Any]]:
    listed = {name: json_values(column) for name, column in columns.items()}
    scores = (listed[name] for name, column in columns.items() if column.dtype == np.float32)
    if not all(map(isfinite, chain.from_iterable(scores))):
        raise InvalidRequest(
            "The request leads to a score that is not a finite number.",
            remedy="Give values of the size that the model has seen.",
            field="body",
        )
    values = (listed[name] for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
