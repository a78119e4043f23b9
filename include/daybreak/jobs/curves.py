"""The demand curve of an item, as the night that is published left it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from daybreak.errors import NotFound
from daybreak.facts.scores import read_entity_scores
from daybreak.ledger.generations import Generation, published_generation
from daybreak.ledger.states import State
from daybreak.ledger.upstream import basis_of
from daybreak.models import nightly_models
from daybreak.models.base import AnyModel, CurveOf
from daybreak.prices.curve import Curve
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring.snapshots import day_of, read_entity
from daybreak.warehouse.engine import connect


@dataclass(frozen=True)
class PublishedCurve:
    """``basis``: what became of the scores that the generation was made from."""

    store: str
    item: str
    generation: Generation
    basis: State | None
    curve: Curve

    def as_json(self) -> dict[str, Any]:
        """With all amounts in the currency."""
        return {
            "store_id": self.store,
            "item_id": self.item,
            "business_date": self.generation.business_date.isoformat(),
            "generation_id": self.generation.generation_id,
            "version": self.generation.version,
            "basis": self.basis,
            **self.curve.as_json(),
        }


def demand_curve(
    store: str, item: str, business_date: date | None = None, runtime: Runtime | None = None
) -> PublishedCurve:
    """Of a published business date, by default the newest.

    Raises ``NotPublished``, ``NotFound`` where that day has no such item or store, ``NotReady``
    where its snapshot is no longer kept.
    """
    runtime = runtime or get_runtime()
    model, curve_of = _model_of_prices()
    key = (store, item)
    with connect(runtime.engine) as conn:
        generation = published_generation(conn, model.name, business_date)
        day = day_of(conn, model, generation)
        entity = read_entity(conn, model, generation.snapshot_id, generation.business_date, key)
        published = read_entity_scores(
            conn,
            model.night.score_table,
            generation.business_date,
            generation.generation_id,
            dict(zip(model.keys, key, strict=True)),
        )
        basis = basis_of(conn, generation.snapshot_id)
    return PublishedCurve(store, item, generation, basis, curve_of(entity, published, day))


def _model_of_prices() -> tuple[AnyModel, CurveOf]:
    """The one whose nights leave curves. Raises ``NotFound`` where none is installed."""
    for model in nightly_models():
        if model.curve is not None:
            return model, model.curve
    raise NotFound(
        "No model that sets prices is installed.",
        remedy="`daybreak status` lists the models that are.",
        field="model",
    )
