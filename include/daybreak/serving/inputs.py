"""What a scorer is given for one request: the row of a snapshot, other models' published scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import BaseModel

from daybreak.errors import ConfigError, NotFound
from daybreak.facts.scores import read_entities_scores, read_entity_scores
from daybreak.ledger.generations import Generation
from daybreak.models.base import AnyModel, Columns, Given, Key, Moment, SnapshotRows
from daybreak.runtime import Runtime
from daybreak.scoring.curves import ItemCurve, read_curve
from daybreak.scoring.snapshots import KNOWN
from daybreak.serving.moments import MomentCache, Now
from daybreak.serving.publications import Publication, Publications
from daybreak.serving.rows import RowCache
from daybreak.serving.turn import pass_on


@dataclass(frozen=True)
class Basis:
    """What one answer is made from, wholly.

    ``generation``: whose snapshot it is; None for a model that is not scored nightly. ``upstream``:
    generations whose scores such a model reads, by model. ``watermark``: nothing that became known
    later is in the answer. ``now``: what moves it during the day; None: nothing does.
    """

    generation: Generation | None
    upstream: Mapping[str, Generation]
    watermark: datetime
    now: Now | None = None


@dataclass(frozen=True)
class Inputs:
    """Fetches what the models declare. Safe for many threads."""

    runtime: Runtime
    models: Mapping[str, AnyModel]
    publications: Publications
    rows: RowCache
    moments: MomentCache

    def now(self, publication: Publication) -> Now | None:
        """What moves the answers of a publication now; None: nothing does."""
        moves, generation = publication.moves, publication.generation
        if moves is None or generation is None or publication.since is None:
            return None
        slot = moves.slot(self.runtime.clock())
        return Now(moves, slot, generation, publication.version, publication.since)

    def basis(self, model: AnyModel, publication: Publication) -> Basis:
        """Raises ``NotPublished`` where an upstream model has published nothing."""
        generation = publication.generation
        if generation is not None:
            return Basis(generation, {}, generation.cutoff, self.now(publication))
        upstream = {read.model: self.publications.published(read.model) for read in model.inputs}
        cutoffs = (one.cutoff for one in upstream.values())
        return Basis(None, upstream, min([self.runtime.clock(), *cutoffs]))

    def of(self, model: AnyModel, basis: Basis, asked: BaseModel) -> Given:
        """What one request needs.

        Raises ``NotFound`` for an unknown entity, and ``WarehouseUnavailable``.
        """
        key = _entity(model, asked)
        if basis.generation is None:
            return self._upstream(model, basis, key)
        row = self.rows.get(model, basis.generation, key)
        moments, now = None, basis.now
        if now is not None and now.moves.is_about_now(asked):
            moments = self.moments.of(now, [key], row)
        return Given(row, identity={"snapshot_id": basis.generation.snapshot_id}, moments=moments)

    def of_many(
        self, model: AnyModel, basis: Basis, asked: Sequence[BaseModel]
    ) -> tuple[Given, list[int | None]]:
        """What some requests need, and which of its entities each is about; None: an unknown one.

        Raises ``WarehouseUnavailable``.
        """
        if basis.generation is None:
            raise TypeError(f"{model.name} answers from no generation")
        keys = [_entity(model, one) for one in asked]
        rows = self.rows.get_many(model, basis.generation, list(dict.fromkeys(keys)))
        place = {key: number for number, key in enumerate(rows)}
        given = Given(identity={"snapshot_id": basis.generation.snapshot_id})
        if rows:
            given = replace(given, entities=SnapshotRows.joined(list(rows.values())))
        if rows and basis.now is not None:
            now = basis.now.moves.is_about_now
            wanted = {
                place[k] for k, one in zip(keys, asked, strict=True) if k in place and now(one)
            }
            given = replace(
                given, moments=self._moments(basis.now, given.entities, list(rows), wanted)
            )
        return given, [place.get(key) for key in keys]

    def _moments(
        self, now: Now, entities: SnapshotRows, keys: Sequence[Key], wanted: Collection[int]
    ) -> list[Moment | None]:
        found: list[Moment | None] = [None] * len(keys)
        places = sorted(wanted)
        if places:
            moments = self.moments.of(now, [keys[n] for n in places], entities.rows_at(places))
            for place, moment in zip(places, moments, strict=True):
                found[place] = moment
        return found

    def unknown(self, model: AnyModel, generation: Generation, asked: BaseModel) -> NotFound:
        """The error of one whose entity is unknown."""
        given = dict(zip(model.keys, _entity(model, asked), strict=True))
        named = ", ".join(f"{name.removesuffix('_id')} {value!r}" for name, value in given.items())
        return NotFound(
            f"There is no {named} on {generation.business_date}.",
            remedy=KNOWN,
            field=", ".join(given),
            **given,
        )

    def published(self, model: AnyModel, basis: Basis, asked: Sequence[BaseModel]) -> Columns:
        """The published rows of the entities that requests are about, or of the default one.

        Raises ``NotFound`` where the model publishes none, and ``WarehouseUnavailable``.
        """
        night, generation = model.night, basis.generation
        if generation is None:
            raise TypeError(f"{model.name} is scored nightly and has no generation")
        keys = dict.fromkeys(_entity(model, one) for one in asked)
        if model.endpoint.default_key is not None:
            keys[model.endpoint.default_key] = None
        pass_on()
        with self.runtime.asking.connect() as conn:
            return read_entities_scores(
                conn,
                night.score_table,
                generation.business_date,
                generation.generation_id,
                dict(zip(night.keys, zip(*keys, strict=True), strict=True)),
            )

    def curve(self, model: AnyModel, generation_id: int, store: str, item: str) -> ItemCurve:
        """The demand curve of an item: from its row that answers requests, also of another day.

        Raises what ``scoring.curves.read_curve`` does, and ``WarehouseUnavailable``.
        """
        pass_on()
        with self.runtime.asking.connect() as conn:
            return read_curve(conn, model, generation_id, store, item)

    def _upstream(self, model: AnyModel, basis: Basis, key: Key) -> Given:
        pass_on()
        scores, identity = {}, {}
        for name, generation in basis.upstream.items():
            upstream = self.models[name]  # check_reads has checked it
            with self.runtime.asking.connect() as conn:
                scores[name] = read_entity_scores(
                    conn,
                    upstream.night.score_table,
                    generation.business_date,
                    generation.generation_id,
                    dict(zip(upstream.keys, key, strict=True)),
                )
            identity[name] = generation.generation_id
        return Given(scores=scores, identity={"generation_id": identity})


def _entity(model: AnyModel, asked: BaseModel) -> Key:
    return model.endpoint.entity(asked) if model.endpoint.entity else ()


def check_reads(models: Mapping[str, AnyModel]) -> None:
    """Raise ``ConfigError`` where a model that only answers requests reads what no model publishes.

    Its requests have to name an entity too, whose scores are read.
    """
    for model in models.values():
        for read in model.reads:
            upstream = models.get(read.model)
            if upstream is None or not upstream.answers_from_a_day:
                why = "is not installed." if upstream is None else "is not scored nightly."
                if upstream is not None and upstream.decides:
                    why = "decides about events as they come."
                raise ConfigError(
                    f"{model.name} reads the scores of {read.model}, which {why}",
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
