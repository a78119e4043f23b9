"""The demand curve of an item, as a night left it: of the row that answers requests about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from daybreak.facts.scores import read_entity_scores
from daybreak.ledger.states import Generation, State, get_generation
from daybreak.ledger.upstream import basis_of
from daybreak.models.base import AnyModel
from daybreak.prices.curve import Curve
from daybreak.scoring.snapshots import day_of, read_entity


@dataclass(frozen=True)
class ItemCurve:
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


def read_curve(
    conn: Connection, model: AnyModel, generation_id: int, store: str, item: str
) -> ItemCurve:
    """Of a generation of the model whose rows are written, published or not.

    It reads what the service may read to answer requests: the snapshot and the scores. Raises
    ``NotFound`` where there is no such generation, item or store, ``NotReady`` where the snapshot
    is no longer kept, and ``TypeError`` for a model without curves.
    """
    if model.curve is None:
        raise TypeError(f"{model.name} sets no prices")
    generation = get_generation(conn, generation_id)
    day = day_of(conn, model, generation)
    key = (store, item)
    entity = read_entity(conn, model, generation.snapshot_id, generation.business_date, key)
    scored = read_entity_scores(
        conn,
        model.night.score_table,
        generation.business_date,
        generation_id,
        dict(zip(model.keys, key, strict=True)),
    )
    basis = basis_of(conn, generation.snapshot_id)
    return ItemCurve(store, item, generation, basis, model.curve(entity, scored, day))
