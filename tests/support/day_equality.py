"""Every published row of a day, asked again through the endpoint, gives the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from sqlalchemy import REAL, Engine, select

from daybreak.ledger.generations import Generation, published_generation
from daybreak.models.base import Model
from daybreak.warehouse.engine import connect

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A request body to the answer of the endpoint, as JSON."""


def assert_day_equals(
    client: FlaskClient,
    engine: Engine,
    business_date: date,
    *,
    model: Model,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Compare a whole published day with the endpoint; returns the number of rows.

    The day must be the newest published one, which is what the endpoint answers from.
    """

    def ask(body: Mapping[str, Any]) -> Mapping[str, Any]:
        response = client.post(
            f"/v1/models/{model.name}/predict", json=dict(body), headers=dict(headers or {})
        )
        assert response.status_code == 200, response.get_data(as_text=True)
        answer: Mapping[str, Any] = response.get_json()
        return answer

    generation, rows = published_rows(engine, model, business_date)
    assert len(rows) == generation.rows, "the table holds the whole generation"
    for row in rows:
        assert_row_equals(ask, generation, row, model=model)
    return len(rows)


def published_rows(
    engine: Engine, model: Model, business_date: date
) -> tuple[Generation, list[Mapping[str, Any]]]:
    """The published generation of a day and its rows in the score table."""
    scores = model.night.score_table
    with connect(engine) as conn:
        generation = published_generation(conn, model.name, business_date)
        query = (
            select(scores)
            .where(
                scores.c.business_date == business_date,
                scores.c.generation_id == generation.generation_id,
            )
            .order_by(*scores.primary_key.columns)
        )
        return generation, [dict(row) for row in conn.execute(query).mappings()]


def assert_row_equals(
    ask: Ask, generation: Generation, row: Mapping[str, Any], *, model: Model
) -> None:
    """Ask for one row of the table and compare it bit for bit, float32 with float32."""
    answer = ask(request_body(row))
    assert answer["source"] == "published"
    assert answer["version"] == generation.version
    assert answer["generation"] == generation.generation_id
    assert answer["business_date"] == row["business_date"].isoformat()
    (prediction,) = answer["predictions"]
    floats = [
        column.name for column in model.night.score_table.columns if isinstance(column.type, REAL)
    ]
    assert _bits(prediction[name] for name in floats) == _bits(row[name] for name in floats), (
        prediction,
        row,
    )
    for name in prediction.keys() - set(floats):
        expected = row[name]
        assert prediction[name] == (
            expected.isoformat() if isinstance(expected, date) else expected
        ), name


def request_body(row: Mapping[str, Any]) -> dict[str, Any]:
    """The request that asks for a row of the sales forecast's score table."""
    return {
        "store": row["store_id"],
        "item": row["item_id"],
        "date": row["target_date"].isoformat(),
    }


def _bits(values: Iterable[float]) -> list[int]:
    return np.array(list(values), np.float32).view(np.uint32).tolist()
