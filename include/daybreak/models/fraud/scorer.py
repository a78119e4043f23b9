"""The scorer of the fraud model: events to features, margins to probabilities and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from daybreak.errors import NotReady
from daybreak.models.base import (
    Answers,
    Context,
    Day,
    Given,
    LooksAt,
    Questions,
    Remarks,
    SnapshotRows,
)
from daybreak.models.fraud.features import Rates, assemble
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.probability import DECISIONS, FILE, Calibration, Thresholds
from daybreak.models.fraud.reasons import reasons_of
from daybreak.registry.artifact import Artifact
from daybreak.types import Float32

RATES = "rates.json"
NAMES = "names"
"""In the context of a day: the columns of its rows."""
VALUES = "values of {}"
"""In the context of a day: the values of a text attribute, which the rows number."""

_DECISIONS = np.array(DECISIONS, object)


class FraudScorer:
    """Implements ``DecidingScorer``: about events of a day's snapshot, or as they are given.

    Raises ``ArtifactAltered`` where the manifest does not say what the version looks at, and
    ``NotReady`` for a day that lacks some of it.
    """

    def __init__(self, artifact: Artifact, day: Day) -> None:
        self.layout = Layout.from_manifest(artifact.manifest)
        self.rates: Rates = orjson.loads(artifact.files[RATES])
        self._calibration = Calibration.from_bytes(artifact.files[FILE])
        self._thresholds = Thresholds(**artifact.manifest["thresholds"])
        self._columns = _Columns.of(self, day.context) if day.context else None

    def rows(self, given: Given, questions: Questions) -> FraudRows:
        """One row a question."""
        if given.events is not None:
            events = given.events.where(questions.entity)
            keys = next(iter(events.transactions.moments.keys.values()))
            names = np.array([one or "" for one in keys.tolist()], object)
            features = assemble(self.layout, events, self.rates)
            return self._rows(features, names, events.transactions.event_id)
        if self._columns is None:
            raise ValueError("a day's rows come with its context")
        key, event_id = given.entities.keys
        features = self._columns.features(given.entities)[questions.entity]
        return self._rows(features, key[questions.entity], event_id[questions.entity])

    @property
    def looks_at(self) -> LooksAt:
        """As the manifest says."""
        return LooksAt(self.layout.stream, self.layout.signals)

    def notes(self, features: Float32, added: Float32) -> list[dict[str, Any]]:
        """The strongest reasons of each."""
        return [{"reasons": one} for one in reasons_of(self.layout, features, added)]

    def probability_of(self, margins: Float32) -> Float32:
        """Of margins (m, 1), float32 (m,)."""
        return self._calibration.of(margins[:, 0])

    def _rows(
        self, features: Float32, key: NDArray[np.object_], event_id: NDArray[np.object_]
    ) -> FraudRows:
        return FraudRows(features, key, event_id, self._calibration, self._thresholds)


@dataclass(frozen=True)
class FraudRows:
    """Implements ``ScoringRows``. ``key``, ``event_id``: object (m,)."""

    features: Float32
    key: NDArray[np.object_]
    event_id: NDArray[np.object_]
    calibration: Calibration
    thresholds: Thresholds

    def answers(self, margins: Float32) -> Answers:
        """A probability and a decision each."""
        probability = self.calibration.of(margins[:, 0])
        return Answers(
            {
                "key": self.key,
                "event_id": self.event_id,
                "probability": probability,
                "decision": _DECISIONS[self.thresholds.of(probability)],
            }
        )

    def remarks(self, question: int) -> Remarks:
        """An event is answered as it comes."""
        return Remarks("live")


@dataclass(frozen=True)
class _Columns:
    """How the rows of a day become features. ``place``: int64 (F,), the column of each.

    ``learned``: by feature, the share of frauds of each numbered value.
    """

    width: int
    place: NDArray[np.int64]
    learned: Mapping[int, Float32]

    @classmethod
    def of(cls, scorer: FraudScorer, context: Context) -> _Columns:
        names = context[NAMES].tolist()
        wanted = scorer.layout.features
        missing = sorted(set(wanted) - set(names))
        if missing:
            raise NotReady(
                f"The rows of the day lack {', '.join(missing[:5])}, which the version looks at.",
                remedy="Score the day again with it, or train a version.",
                features=missing,
            )
        learned = {}
        for name in scorer.layout.texts:
            known = scorer.rates.get(name, {})
            shares = [known.get(value, np.nan) for value in context[VALUES.format(name)].tolist()]
            learned[wanted.index(name)] = np.array([*shares, np.nan], np.float32)
        return cls(len(names), np.array([names.index(name) for name in wanted]), learned)

    def features(self, rows: SnapshotRows) -> Float32:
        """Float32 (n, F)."""
        values = rows.records.reshape(len(rows), self.width)[:, self.place]
        for feature, shares in self.learned.items():
            numbered = values[:, feature]
            number = np.where(np.isnan(numbered), len(shares) - 1, numbered).astype(np.int64)
            values[:, feature] = shares[number]
        return values


def json_of(rates: Mapping[str, Any]) -> bytes:
    """As the file ``RATES`` of a version."""
    return orjson.dumps(rates, option=orjson.OPT_SORT_KEYS)
