"""The scorer of the recommendations: users to candidates, margins to the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import NotReady
from daybreak.models.base import (
    Answers,
    Columns,
    Context,
    Day,
    Float32,
    Given,
    Questions,
    Remarks,
    RowsOf,
    SnapshotRows,
    Source,
)
from daybreak.models.recommendations.features.assemble import assemble
from daybreak.models.recommendations.features.candidates import (
    Candidates,
    Ragged,
    Wish,
    candidates,
    cut,
    owned,
    record_column,
    record_user,
)
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.features.histories import DEFAULT_USER
from daybreak.models.recommendations.features.learned import FILE, Learned, OnTheDay, on_the_day
from daybreak.models.recommendations.formulas import scores_of
from daybreak.models.recommendations.lists import best
from daybreak.models.recommendations.numbers import EXCLUDED, HAS, LISTED, Numbers
from daybreak.models.recommendations.reasons import reasons
from daybreak.models.recommendations.request import RecommendationRequest
from daybreak.registry.artifact import Artifact


def list_lengths(context: Context) -> int | RowsOf:
    """How many items the published lists of a day have; they differ where users have some."""
    listed = int(context[LISTED])
    eligible = Catalogue.from_context(context).eligible
    on_sale = int(eligible.sum())
    if not context[EXCLUDED]:
        return min(listed, on_sale)
    has = float(context[HAS])

    def lengths(rows: SnapshotRows) -> NDArray[np.int64]:
        item = record_column(rows, "item").astype(np.int64)
        gone = owned(rows, has) & eligible[item]
        left = on_sale - np.bincount(record_user(rows)[gone], minlength=len(rows))
        return np.minimum(left, listed)

    return lengths


_NOTHING = dict(RecommendationRequest())
"""What a request that says nothing asks for, by field."""


@dataclass(frozen=True)
class Lists:
    """Candidates of users with one wish, and what turns their margins into lists of ``k`` items.

    ``remarks``: of each list; none in a nightly run.
    """

    users: SnapshotRows
    found: Candidates
    features: Float32
    wish: Wish
    k: int
    remarks: Remarks | None = None

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class ListRows:
    """Rows of candidates, wish by wish in the order of the questions."""

    manifest: Mapping[str, Any]
    catalogue: Catalogue
    learned: OnTheDay
    parts: Sequence[Lists]

    @cached_property
    def features(self) -> Float32:
        """Float32 (m, F)."""
        if len(self.parts) == 1:
            return self.parts[0].features
        return np.concatenate([part.features for part in self.parts])

    def answers(self, margins: Float32) -> Answers:
        """The ``k`` best of each user, best first; among equals the first by item_id."""
        ends = np.cumsum([len(part) for part in self.parts])
        found = [
            self._answer(margins[end - len(part) : end], part)
            for part, end in zip(self.parts, ends, strict=True)
        ]
        columns, lengths, scored = found[0]
        if len(found) > 1:  # a nightly run has one wish, and millions of rows to copy
            columns = {
                name: np.concatenate([answers[name] for answers, _, _ in found]) for name in columns
            }
            lengths = np.concatenate([counts for _, counts, _ in found])
            scored = np.concatenate(
                [
                    chosen + (end - len(part))
                    for (*_, chosen), part, end in zip(found, self.parts, ends, strict=True)
                ]
            )
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Answers(columns, offsets, scored)

    def remarks(self, question: int) -> Remarks:
        """Of the list that answers one request."""
        said = self.parts[question].remarks
        if said is None:
            raise ValueError("Nightly lists have no remarks.")
        return said

    def _answer(
        self, margins: Float32, part: Lists
    ) -> tuple[Columns, NDArray[np.int64], NDArray[np.int64]]:
        """Columns, how many rows each user has, and which candidate each row is."""
        score = scores_of(margins, part.features, part.found.offsets, self.manifest)
        chosen = best(part.found, score, part.k)
        user = row_numbers(part.found.offsets)[chosen]
        reason, because = reasons(
            part.users, self.catalogue, self.learned, part.found, chosen, part.wish.session
        )
        ids = self.catalogue.item_id
        columns = {
            "user_id": part.users.keys[0][user],
            "rank": (np.arange(len(user)) - np.searchsorted(user, user) + 1).astype(np.int16),
            "item_id": ids[part.found.item[chosen]],
            "score": score[chosen],
            "reason": reason,
            "because": np.where(because >= 0, ids[because], ""),
        }
        return columns, np.bincount(user, minlength=len(part.users)), chosen


class RecommendationScorer:
    """Implements ``models.base.Scorer``."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        context = day.context
        self._manifest = artifact.manifest
        self._catalogue = Catalogue.from_context(context)
        self._listed = int(context[LISTED])
        self._new_only, self._has = bool(context[EXCLUDED]), float(context[HAS])
        differing = Numbers.of(artifact.manifest).differing(context)
        if differing:
            raise NotReady(
                f"{artifact.version} was trained with another {differing[0]} than the snapshot of "
                f"{day.business_date} was built with.",
                remedy="Score the day again: "
                f"`daybreak score {artifact.model} --business-date {day.business_date}`.",
                model=artifact.model,
                version=artifact.version,
                differing=differing,
            )
        self._place = {name: n for n, name in enumerate(self._catalogue.item_id.tolist())}
        self._learned = on_the_day(Learned.from_bytes(artifact.files[FILE]), self._catalogue)

    def rows(self, given: Given, questions: Questions) -> ListRows:
        """The candidates of each user, and of the session, within what may be offered.

        Columns: the fields of ``RecommendationRequest``. Without any, every user is asked for once
        and gets the list that is published.
        """
        users, place = given.entities, questions.entity
        if not questions.columns and np.array_equal(place, np.arange(len(users))):
            asked = [self._lists(users, self._usual(), self._listed)]
        else:
            asked = [self._asked(users, questions, n) for n in range(len(questions))]
        return ListRows(self._manifest, self._catalogue, self._learned, asked)

    def _asked(self, entities: SnapshotRows, questions: Questions, question: int) -> Lists:
        """What one request asks for, of one user."""
        asked = _NOTHING | {name: values[question] for name, values in questions.columns.items()}
        named = chain(asked["session"], asked["exclude"], asked["allow"] or ())
        notes = {"unknown_items": self._unknown(list(dict.fromkeys(named)))}
        place = int(questions.entity[question])
        user = entities if len(entities) == 1 else cut(entities, place, place + 1)
        unknown = user.keys[0][0] == DEFAULT_USER
        wish, k = self._wish(asked, unknown), asked["k"] or self._listed
        source: Source = "live"
        if wish.is_as(self._usual()):
            if unknown:
                source = "default"  # of any length
            elif k <= self._listed:
                source = "published"
        return self._lists(user, wish, k, Remarks(source, notes))

    def _lists(
        self, users: SnapshotRows, wish: Wish, k: int, remarks: Remarks | None = None
    ) -> Lists:
        found = candidates(users, self._catalogue, self._learned, wish)
        features = assemble(users, self._catalogue, self._learned, found, wish.session)
        return Lists(users, found, features, wish, k, remarks)

    def _usual(self) -> Wish:
        """What published lists leave out."""
        return Wish(new_only=self._new_only, has=self._has)

    def _wish(self, asked: Mapping[str, Any], unknown: bool) -> Wish:
        excluding = asked["exclude_purchased"]
        if excluding is None:
            excluding = self._new_only
        allowed = None
        if asked["allow"] is not None:
            allowed = np.zeros(len(self._catalogue), np.bool_)
            allowed[self._ordinals(asked["allow"])] = True
        return Wish(
            session=self._one(asked["session"]),
            excluded=self._one(asked["exclude"]),
            allowed=allowed,
            new_only=self._new_only if unknown else excluding,  # no history excludes nothing
            has=self._has,
        )

    def _one(self, names: Sequence[str]) -> Ragged | None:
        """The known items among ``names``, of the one user of a request."""
        item = self._ordinals(names)
        return Ragged(np.array([0, len(item)]), item) if len(item) else None

    def _ordinals(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Those that the catalogue has, each once, ascending."""
        place = self._place
        return np.array(sorted({place[name] for name in names if name in place}), np.int64)

    def _unknown(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in self._place]
