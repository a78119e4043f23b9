"""The sales forecast as the platform sees it. One entity is a series, an item in a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daybreak.models.base import Endpoint, Example, Key, Model
from daybreak.models.sales_forecast.features.layout import features
from daybreak.models.sales_forecast.nightly import ForecastNightly
from daybreak.models.sales_forecast.options import Scope
from daybreak.models.sales_forecast.request import ForecastRequest, WhatIf
from daybreak.models.sales_forecast.scorer import ForecastScorer
from daybreak.models.sales_forecast.sections import SECTIONS
from daybreak.models.sales_forecast.views import VIEWS


def _series(request: ForecastRequest) -> Key:
    return (request.store_id, request.item_id)


def _features(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    options = manifest.get("options")
    return features(Scope.of(options if isinstance(options, Mapping) else {}).slots)


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(row[name]) for name in ("store_id", "item_id", "target_date")}


_DAY = {"store_id": "S001", "item_id": "I0001", "target_date": "2026-07-02"}
_IDENTITY = {
    "store_id": "S001",
    "item_id": "I0001",
    "horizon": 2,
    "target_date": "2026-07-02",
}

EXAMPLES = {
    "As planned": Example(
        _DAY, [{**_IDENTITY, "p10": 3.0, "p50": 6.0, "p90": 11.0, "mean": 6.411226}], "published"
    ),
    "At another price, promoted": Example(
        {**_DAY, "price": 2.49, "promotion": 1},
        [
            {**_IDENTITY, "p10": 5.0, "p50": 9.0, "p90": 15.0, "mean": 9.32194}
            | {"price": 2.49, "planned_price": 3.49, "promotion": 1.0, "planned_promotion": 0.0}
        ],
        "live",
    ),
}
"""On the data of the demo, whose last day is 2026-06-30."""

MODEL = Model(
    "sales_forecast",
    Endpoint(ForecastRequest, entity=_series, extra=WhatIf, examples=EXAMPLES, request_of=_request),
    scorer=ForecastScorer,
    features=_features,
    nightly=ForecastNightly(),
    learning="daybreak.models.sales_forecast.learn:LEARNING",
    views=VIEWS,
    sections=SECTIONS,
)
