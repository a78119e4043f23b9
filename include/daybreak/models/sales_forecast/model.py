"""The sales forecast as the platform sees it. One entity is a series, an item in a store."""

from __future__ import annotations

from daybreak.models.base import Endpoint, Key, Model, Options
from daybreak.models.sales_forecast.features.layout import features
from daybreak.models.sales_forecast.nightly import ForecastNightly
from daybreak.models.sales_forecast.options import Scope
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.models.sales_forecast.scorer import ForecastScorer
from daybreak.models.sales_forecast.views import VIEWS


def _series(request: ForecastRequest) -> Key:
    return (request.store, request.item)


def _features(options: Options) -> tuple[str, ...]:
    return features(Scope.of(options).slots)


MODEL = Model(
    "sales_forecast",
    Endpoint(ForecastRequest, entity=_series),
    scorer=ForecastScorer,
    features=_features,
    nightly=ForecastNightly(),
    learning="daybreak.models.sales_forecast.learn:LEARNING",
    views=VIEWS,
)
