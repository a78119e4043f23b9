"""The demand curve of an item, as the night that is published left it."""

from __future__ import annotations

from datetime import date

from daybreak.errors import NotFound
from daybreak.ledger.generations import published_generation
from daybreak.models import nightly_models
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring.curves import ItemCurve, read_curve
from daybreak.warehouse.engine import connect


def demand_curve(
    store: str, item: str, business_date: date | None = None, runtime: Runtime | None = None
) -> ItemCurve:
    """Of a published business date, by default the newest.

    Raises ``NotPublished``, ``NotFound`` where that day has no such item or store, ``NotReady``
    where its snapshot is no longer kept.
    """
    runtime = runtime or get_runtime()
    model = _model_of_prices()
    with connect(runtime.engine) as conn:
        generation = published_generation(conn, model.name, business_date)
        return read_curve(conn, model, generation.generation_id, store, item)


def _model_of_prices() -> AnyModel:
    """The one whose nights leave curves. Raises ``NotFound`` where none is installed."""
    for model in nightly_models():
        if model.curve is not None:
            return model
    raise NotFound(
        "No model that sets prices is installed.",
        remedy="`daybreak status` lists the models that are.",
        field="model",
    )
