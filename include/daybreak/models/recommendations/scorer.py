"""A version of the recommendations at work: users to candidates, margins to the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from daybreak.errors import NotReady
from daybreak.models.base import (
    Columns,
    Context,
    Float32,
    Question,
    RowsOf,
    ScoringRows,
    SnapshotRows,
)
from daybreak.models.recommendations.features.assemble import assemble
from daybreak.models.recommendations.features.candidates import (
    Candidates,
    Ragged,
    Wish,
    candidates,
    owned,
    record_column,
    record_user,
)
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.cells import spread
from daybreak.models.recommendations.features.histories import STRANGER
from daybreak.models.recommendations.features.learned import FILE, Learned, on_the_day
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


@dataclass(frozen=True)
class ListRows(ScoringRows):
    """Rows of candidates, with what turns their margins into lists of ``k`` items."""

    users: SnapshotRows
    found: Candidates
    wish: Wish
    k: int


class RecommendationScorer:
    """Implements ``models.base.Scorer``."""

    def __init__(self, artifact: Artifact, context: Context, business_date: date) -> None:
        self._catalogue = Catalogue.from_context(context)
        self._listed = int(context[LISTED])
        self._new_only, self._has = bool(context[EXCLUDED]), float(context[HAS])
        differing = Numbers.of(artifact.manifest).differing(context)
        if differing:
            raise NotReady(
                f"{artifact.version} was trained with another {differing[0]} than the snapshot of "
                f"{business_date} was built with.",
                remedy="Score the day again: "
                f"`daybreak score {artifact.model} --business-date {business_date}`.",
                model=artifact.model,
                version=artifact.version,
                differing=differing,
            )
        self._place = {name: n for n, name in enumerate(self._catalogue.item_id.tolist())}
        self._learned = on_the_day(Learned.from_bytes(artifact.files[FILE]), self._catalogue)

    def batch_rows(self, snapshot: SnapshotRows) -> ListRows:
        """The candidates of every user."""
        return self._rows(snapshot, self._usual(), self._listed)

    def question(self, snapshot: SnapshotRows, request: BaseModel) -> Question:
        """The candidates of one user, and of the session, within what may be offered."""
        asked = cast(RecommendationRequest, request)
        named = chain(asked.session, asked.exclude, asked.allow or ())
        notes = {"unknown_items": self._unknown(list(dict.fromkeys(named)))}
        stranger = snapshot.keys[0][0] == STRANGER
        wish, k = self._wish(asked, stranger), asked.k or self._listed
        rows = self._rows(snapshot, wish, k)
        if not wish.is_as(self._usual()):
            return Question(rows, "live", notes)
        if stranger:
            return Question(rows, "default", notes)  # of any length
        return Question(rows, "published" if k <= self._listed else "live", notes)

    def answers(self, margins: Float32, rows: ScoringRows) -> Columns:
        """The ``k`` best of each user, best first; among equals the first by item_id."""
        lists = cast(ListRows, rows)
        score = margins[:, 0]
        chosen = best(lists.found, score, lists.k)
        user = spread(lists.found.offsets)[chosen]
        reason, because = reasons(
            lists.users, self._catalogue, self._learned, lists.found, chosen, lists.wish.session
        )
        ids = self._catalogue.item_id
        return {
            "user_id": lists.users.keys[0][user],
            "rank": (np.arange(len(user)) - np.searchsorted(user, user) + 1).astype(np.int16),
            "item_id": ids[lists.found.item[chosen]],
            "score": score[chosen],
            "reason": reason,
            "because": np.where(because >= 0, ids[because], ""),
        }

    def _rows(self, users: SnapshotRows, wish: Wish, k: int) -> ListRows:
        found = candidates(users, self._catalogue, self._learned, wish)
        features = assemble(users, self._catalogue, self._learned, found, wish.session)
        return ListRows(features, {}, users, found, wish, k)

    def _usual(self) -> Wish:
        """What published lists leave out."""
        return Wish(new_only=self._new_only, has=self._has)

    def _wish(self, asked: RecommendationRequest, stranger: bool) -> Wish:
        excluding = self._new_only if asked.exclude_purchased is None else asked.exclude_purchased
        allowed = None
        if asked.allow is not None:
            allowed = np.zeros(len(self._catalogue), np.bool_)
            allowed[self._ordinals(asked.allow)] = True
        return Wish(
            session=self._one(asked.session),
            excluded=self._one(asked.exclude),
            allowed=allowed,
            new_only=self._new_only if stranger else excluding,  # who has nothing is left all
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
