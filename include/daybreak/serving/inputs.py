"""What a scorer is given for one request: the row of a snapshot, other models' published scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from daybreak.errors import ConfigError
from daybreak.facts.scores import read_entity_scores
from daybreak.models.base import AnyModel, Given, Key
from daybreak.runtime import Runtime
from daybreak.serving.publications import Publication, Publications
from daybreak.serving.rows import RowCache
from daybreak.serving.turn import pass_on
from daybreak.warehouse.engine import connect


@dataclass(frozen=True)
class Inputs:
    """Fetches what the models declare. Safe for many threads."""

    runtime: Runtime
    models: Mapping[str, AnyModel]
    publications: Publications
    rows: RowCache

    def of(
        self, model: AnyModel, publication: Publication, asked: BaseModel
    ) -> tuple[Given, datetime]:
        """What one request needs, and the watermark: nothing that became known later is in it.

        Raises ``NotFound`` for an unknown entity, ``NotPublished`` where an upstream model has
        published nothing, and ``WarehouseUnavailable``.
        """
        key = model.endpoint.entity(asked) if model.endpoint.entity else ()
        if publication.generation is not None:
            generation = publication.generation
            row = self.rows.get(model, generation, key)
            return Given(row, identity={"snapshot_id": generation.snapshot_id}), generation.cutoff
        return self._upstream(model, key)

    def _upstream(self, model: AnyModel, key: Key) -> tuple[Given, datetime]:
        pass_on()
        scores, identity, watermark = {}, {}, self.runtime.clock()
        for read in model.inputs:
            upstream = self.models[read.model]  # check_reads has checked it
            generation = self.publications.published(read.model)
            with connect(self.runtime.engine) as conn:
                scores[read.model] = read_entity_scores(
                    conn,
                    upstream.night.score_table,
                    generation.business_date,
                    generation.generation_id,
                    dict(zip(upstream.keys, key, strict=True)),
                )
            identity[read.model] = generation.generation_id
            watermark = min(watermark, generation.cutoff)
        return Given(scores=scores, identity={"generation_id": identity}), watermark


def check_reads(models: Mapping[str, AnyModel]) -> None:
    """Raise ``ConfigError`` where a model that only answers requests reads what no model publishes.

    Its requests have to name an entity too, whose scores are read.
    """
    for model in models.values():
        for read in model.reads:
            upstream = models.get(read.model)
            if upstream is None or upstream.nightly is None:
                raise ConfigError(
                    f"{model.name} reads the scores of {read.model}, which "
                    + ("is not scored nightly." if upstream else "is not installed."),
                    remedy=f"Install the package that has {read.model}, or correct `reads` of "
                    f"the model {model.name}.",
                    model=model.name,
                )
            if model.endpoint.entity is None:
                raise ConfigError(
                    f"{model.name} reads the scores of {read.model}, and its requests name no "
                    "entity.",
                    remedy=f"Let `entity` of its endpoint give {', '.join(upstream.keys)}.",
                    model=model.name,
                )
