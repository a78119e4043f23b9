"""From typed requests to answers, by the same steps and the same bits as the nightly batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import compress, islice
from operator import not_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Table

from daybreak.errors import DaybreakError, InvalidRequest, NotFound, OutsideHorizon
from daybreak.models.base import AnyModel, Columns, Given, Questions, Source
from daybreak.serving.asked import AskedRows
from daybreak.serving.explanations import explanations
from daybreak.serving.http.encoding import json_values
from daybreak.serving.inputs import Basis, Inputs
from daybreak.serving.publications import Publication
from daybreak.serving.turn import pass_on

NOT_PREDICTED = frozenset({"business_date", "generation_id", "shard"})
"""Columns of a score table that the answer gives once, or that only batch needs."""

AT_ONCE = 100
"""Requests that are scored together; what they need is in memory at once."""

MOST_PREDICTIONS = 10_000
"""Of one answer: some 2 MB of JSON."""

MOST_SCORED = 10_000
"""Rows that are scored together: one for each forecast, some for each item of a list. With more,
an answer that is going to be too long would be scored to its end first."""

MOST_EXPLAINED = 100
"""Explaining a row takes some hundred times as long as scoring it."""

Json = dict[str, Any]


class _TooMuch(InvalidRequest):
    """Of the request as a whole, whichever of its rows it is."""


class _TooManyAtOnce(InvalidRequest):
    """Never of one request, so nobody is told."""


@dataclass(frozen=True)
class Wanted:
    """What an answer has beside the scores.

    ``compare``: each prediction has the row that is published; ``explain``: what each feature
    added to it.
    """

    compare: bool = False
    explain: bool = False


SCORES_ALONE = Wanted()


MANY = "many"
"""In place of the source of an answer to many requests: each of them has its own."""


class Answered(NamedTuple):
    """An answer as JSON, all but ``latency_ms``, and what metrics and logs say of it.

    ``source``: where it comes from, or ``MANY``. ``lasts``: whether it is the same when it is asked
    for again.
    """

    json: bytes
    model: str
    version: str
    source: str
    lasts: bool = True


def prediction_columns(model: AnyModel) -> tuple[str, ...]:
    """Columns of a prediction, in order: those of its form, or of the score table."""
    if model.endpoint.prediction is not None:
        return tuple(model.endpoint.prediction.model_fields)
    return score_columns(model.night.score_table)


@lru_cache(maxsize=64)
def score_columns(table: Table) -> tuple[str, ...]:
    """Identity and score columns of a score table, in its order."""
    # Texts of SQLAlchemy's own class are no keys to orjson.
    return tuple(str(column.name) for column in table.columns if column.name not in NOT_PREDICTED)


@dataclass(frozen=True)
class Answering:
    """Answers requests of a model as of one publication, as JSON but for ``latency_ms``.

    ``counted``: is offered the rows of each answer; None where nobody gets it, as from a shadow.
    """

    model: AnyModel
    publication: Publication
    inputs: Inputs
    wanted: Wanted = SCORES_ALONE
    counted: AskedRows | None = None

    def one(self, asked: BaseModel) -> Json:
        """The answer to one request.

        Raises ``NotFound`` (unknown entity), ``OutsideHorizon``, ``InvalidRequest`` or
        ``WarehouseUnavailable``.
        """
        basis = self.inputs.basis(self.model, self.publication)
        given = self.inputs.of(self.model, basis, asked)
        found = self._by_row(given, asked)
        if found is None:
            (found,) = self._scored(basis, given, [asked])
        return {**self._head(basis), **found}

    def _by_row(self, given: Given, asked: BaseModel) -> Json | None:
        """The same as `_scored`, in a third of the time; None where there is no shorter way."""
        scorer = self.publication.row_scorer
        if scorer is None or self.wanted != SCORES_ALONE:
            return None
        row = scorer.row(given.entities, asked)
        if row is None:
            return None
        features = row.features
        prediction = row.prediction(self.publication.engine.single(features))
        if prediction is None:
            return None
        if self.counted is not None:
            self.counted.offer(self.publication, features)
        return {"source": self._source(row.source), "predictions": [prediction]}

    def many(self, asked: Sequence[BaseModel]) -> Json:
        """The answers to requests, in order: of each its own, or its error.

        Raises what `each` raises.
        """
        canary = self.publication.canary
        head, found = self.each(asked) if canary is None else self._tried(canary.publication, asked)
        answers = [one.as_json() if isinstance(one, DaybreakError) else one for one in found]
        return {**head, "answers": answers}

    def _tried(
        self, canary: Publication, asked: Sequence[BaseModel]
    ) -> tuple[Json, list[Json | DaybreakError]]:
        """As `each`; those about the canary's entities are the canary's, and have its version."""
        side = [self.publication.answering(self.model, one) is canary for one in asked]
        basis = self.inputs.basis(self.model, self.publication)
        usual = self._each(basis, list(compress(asked, map(not_, side))))
        others = replace(self, publication=canary)._each(basis, list(compress(asked, side)))
        self._limit(_predictions(usual) + _predictions(others))
        for one in others:
            if not isinstance(one, DaybreakError):
                one |= {"version": canary.version, "gate": canary.gate}
        sides = (iter(usual), iter(others))
        return self._head(basis), [next(sides[is_canary]) for is_canary in side]

    def each(self, asked: Sequence[BaseModel]) -> tuple[Json, list[Json | DaybreakError]]:
        """What all answers have in common, and of each the rest, or the error it would have got.

        Raises ``InvalidRequest`` where they are too long in all, and ``WarehouseUnavailable``.
        """
        basis = self.inputs.basis(self.model, self.publication)
        return self._head(basis), self._each(basis, asked)

    def _each(self, basis: Basis, asked: Sequence[BaseModel]) -> list[Json | DaybreakError]:
        answers: list[Json | DaybreakError] = []
        rest, predictions = iter(asked), 0
        while some := list(islice(rest, AT_ONCE)):
            pass_on()  # so many rows take a while
            for found in self._some(basis, some):
                answers.append(found)
                predictions += _predictions([found])
                self._limit(predictions)
        return answers

    def _head(self, basis: Basis) -> Json:
        generation = basis.generation
        if generation is not None:
            of_a_day = {
                "generation": generation.generation_id,
                "business_date": generation.business_date.isoformat(),
            }
            if self.model.inputs:
                of_a_day["basis"] = self.publication.basis
        else:
            of_a_day = {"watermark": basis.watermark.isoformat()}
        return {
            "model": self.model.name,
            "version": self.publication.version,
            "gate": self.publication.gate,
            **of_a_day,
        }

    def _some(self, basis: Basis, asked: Sequence[BaseModel]) -> Iterator[Json | DaybreakError]:
        """Scored together where they are about rows of a snapshot."""
        if basis.generation is None:
            for one in asked:
                yield from _or_error(partial(self._alone, basis, one))
            return
        given, place = self.inputs.of_many(self.model, basis, asked)
        known = [n for n, row in enumerate(place) if row is not None]
        rows = np.array([place[n] for n in known], np.int64)
        scored = self._halved(basis, given, [asked[n] for n in known], rows)
        for one, row in zip(asked, place, strict=True):
            yield (
                next(scored)
                if row is not None
                else self.inputs.unknown(self.model, basis.generation, one)
            )

    def _alone(self, basis: Basis, asked: BaseModel) -> list[Json]:
        return self._scored(basis, self.inputs.of(self.model, basis, asked), [asked])

    def _halved(
        self, basis: Basis, given: Given, asked: Sequence[BaseModel], place: NDArray[np.int64]
    ) -> Iterator[Json | DaybreakError]:
        """All together; where that fails, one half and then the other: so that who is at fault is
        found, and the others are answered. The second half waits until it is asked for."""
        if not asked:
            return
        found = _or_error(partial(self._scored, basis, given, asked, place))
        if len(asked) == 1 or not isinstance(found[0], DaybreakError):
            yield from found
            return
        middle = len(asked) // 2
        for half in (slice(middle), slice(middle, None)):
            yield from self._halved(basis, given, asked[half], place[half])

    def _scored(
        self,
        basis: Basis,
        given: Given,
        asked: Sequence[BaseModel],
        place: NDArray[np.int64] | None = None,
    ) -> list[Json]:
        rows = self.publication.scorer.rows(given, Questions.of(asked, place))
        features = rows.features
        if len(features) > MOST_SCORED and len(asked) > 1:
            raise _TooManyAtOnce("They are too many at once.", remedy="Score them in halves.")
        answers = rows.answers(self.publication.engine.single(features))
        self._limit(len(answers))
        records = records_of(prediction_columns(self.model), answers.columns)
        if self.model.endpoint.extra is not None:
            _add_extra(self.model.endpoint.extra, answers.columns, records)
        if self.wanted.compare:
            self._compare(basis, asked, records)
        if self.wanted.explain:
            scored = features if answers.scored is None else features[answers.scored]
            for record, why in zip(
                records, explanations(self.publication.engine, scored), strict=True
            ):
                record["explanation"] = why
        found = []
        for question in range(len(asked)):
            remarks = rows.remarks(question)
            predictions = records[answers.rows(question)]
            source = self._source(remarks.source)
            found.append({"source": source, "predictions": predictions, **remarks.notes})
        if self.counted is not None:
            self.counted.offer(self.publication, features, len(asked))
        return found

    def _source(self, found: Source) -> Source:
        if found == "what_if" or self.publication.of_its_generation:
            return found
        return "live"

    def _compare(self, basis: Basis, asked: Sequence[BaseModel], records: list[Json]) -> None:
        """Give each record the published row about the same."""
        columns = self.inputs.published(self.model, basis, asked)
        table = self.model.night.score_table
        names = [c.name for c in table.primary_key if c.name not in NOT_PREDICTED]
        rows = records_of(score_columns(table), columns)
        published = {tuple(row[name] for name in names): row for row in rows}
        for record in records:
            record["published"] = published.get(tuple(record[name] for name in names))

    def _limit(self, predictions: int) -> None:
        most = MOST_EXPLAINED if self.wanted.explain else MOST_PREDICTIONS
        if predictions > most:
            explained = ", each explained" if self.wanted.explain else ""
            raise _TooMuch(
                f"The request would be answered by more than {most} predictions{explained}.",
                remedy="Ask for fewer at once.",
                field="rows",
                limit=most,
            )


def _predictions(answers: Iterable[Json | DaybreakError]) -> int:
    return sum(len(one["predictions"]) for one in answers if not isinstance(one, DaybreakError))


def _or_error(answer: Callable[[], list[Json]]) -> list[Json | DaybreakError]:
    try:
        return [*answer()]
    except _TooMuch:
        raise
    except (NotFound, OutsideHorizon, InvalidRequest) as error:
        return [error]


def records_of(names: Sequence[str], columns: Columns) -> list[Json]:
    """Rows of an answer. Raises ``InvalidRequest`` for a number that is not finite."""
    _check_finite(columns[name] for name in names)
    listed = {name: json_values(columns[name]) for name in names}
    return [dict(zip(names, row, strict=True)) for row in zip(*listed.values(), strict=True)]


def _add_extra(form: type[BaseModel], columns: Columns, records: list[Json]) -> None:
    """Add to each row what of these fields applies to it: what is neither None nor NaN."""
    for name in (name for name in form.model_fields if name in columns):
        values = json_values(columns[name])
        applies = [value is not None and value == value for value in values]  # noqa: PLR0124 (NaN)
        _check_finite([columns[name][applies]])
        for record, value in compress(zip(records, values, strict=True), applies):
            record[name] = value


def _check_finite(columns: Iterable[NDArray[Any]]) -> None:
    for column in columns:
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            raise InvalidRequest(
                "The request leads to a score that is not a finite number.",
                remedy="Give values of the size that the model has seen.",
                field="body",
            )
