"""What may be known of users as of a day, what is asked of lists, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LENGTH = 10
USERS_AT_ONCE = 500


@dataclass(frozen=True)
class Past:
    """Purchases up to a day: ``user`` (-1 is unknown), ``item``, ``day`` and ``basket``, all (m,).

    ``users``, ``items``: how many there are. ``today``: the day, as ``day`` counts. ``on_sale``:
    bool (items,), what may be listed: bought by anybody in the last 90 days.
    """

    user: Ints
    item: Ints
    day: Ints
    basket: Ints
    users: int
    items: int
    today: int
    on_sale: NDArray[np.bool_]

    def matrix(self, half_life: float | None = None) -> sparse.csr_matrix:
        """Known users by items: 1 where bought, or the halved weight of the newest purchase."""
        known = self.user >= 0
        weight = np.ones(int(known.sum()))
        if half_life is not None:
            weight = 0.5 ** ((self.today - self.day[known]) / half_life)
        shape = (self.users, self.items)
        cell = self.user[known] * self.items + self.item[known]
        order = np.argsort(-weight, kind="stable")
        first = order[np.unique(cell[order], return_index=True)[1]]
        of = (self.user[known][first], self.item[known][first])
        return sparse.csr_matrix((weight[first], of), shape=shape)

    def buyers(self, days: int) -> Floats:
        """How many different users (or baskets of unknown ones) bought each item lately."""
        recent = self.day > self.today - days
        who = np.where(self.user >= 0, self.user, -1 - abs(self.basket))[recent]
        pairs = np.unique(np.stack([who, self.item[recent]]), axis=1)
        return np.bincount(pairs[1], minlength=self.items).astype(np.float64)

    def write(self, file: Path) -> None:
        np.savez(file, **vars(self))


def read_past(file: Path) -> Past:
    """What ``Past.write`` wrote."""
    with np.load(file) as kept:
        return Past(**{n: kept[n].item() if kept[n].ndim == 0 else kept[n] for n in kept.files})


@dataclass(frozen=True)
class Asked:
    """``q`` lists. ``user``: (q,), -1 for nobody known. ``session``: items just seen, of each.

    ``wanted``: items that were bought afterwards, of each. ``new``: only what the user has not had.
    """

    user: Ints
    session: Sequence[Ints]
    wanted: Sequence[Ints]
    new: bool = False

    def __len__(self) -> int:
        return len(self.user)


Scores = Callable[[Ints, sparse.csr_matrix], Floats]
"""(rows of users (b,), their history and session (b, items)) -> a score of each item."""


def lists_of(past: Past, asked: Asked, scores: Scores, had: sparse.csr_matrix) -> Ints:
    """The best items on sale, (q, LENGTH), -1 past the end of a shorter list.

    Among equals that which sold most in 28 days comes first, then the lower number.
    Someone without history and session gets that alone.
    """
    popular = past.buyers(28)
    tie = popular / (1 + popular.max())
    found = np.full((len(asked), LENGTH), -1, np.int64)
    for first in range(0, len(asked), USERS_AT_ONCE):
        part = slice(first, first + USERS_AT_ONCE)
        user, session = asked.user[part], asked.session[part]
        size = len(user)
        row = np.repeat(np.arange(size), [len(items) for items in session])
        seen = sparse.csr_matrix(
            (np.ones(len(row)), (row, np.concatenate([*session, np.empty(0, np.int64)]))),
            shape=(size, past.items),
        )
        history = had[np.maximum(user, 0)].multiply((user >= 0)[:, None]).tocsr()
        value = np.asarray(scores(user, history.maximum(seen).tocsr()), np.float64)
        # Ties are looked at where the scores themselves are equal.
        spread = np.unique(value, return_inverse=True)[1].reshape(value.shape) + tie
        hidden = ~past.on_sale | (seen.toarray() > 0)
        if asked.new:
            hidden |= history.toarray() > 0
        spread[hidden] = -np.inf
        best = np.argsort(-spread, axis=1, kind="stable")[:, :LENGTH]
        open_to = np.take_along_axis(spread, best, axis=1) > -np.inf
        found[part, : best.shape[1]] = np.where(open_to, best, -1)
    return found


def ndcg(found: Ints, wanted: Sequence[Ints]) -> Floats:
    """NDCG@10 of each list, (q,)."""
    discount = 1 / np.log2(np.arange(2, LENGTH + 2))
    hits = np.array([np.isin(line, items) for line, items in zip(found, wanted, strict=True)])
    best = np.cumsum(discount)[np.minimum([len(items) for items in wanted], LENGTH) - 1]
    return np.asarray((hits.reshape(-1, LENGTH) * discount).sum(axis=1) / best)


def popularity(days: int) -> Callable[[Past], Scores]:
    """The same for everybody: most buyers in so many days."""

    def learn(past: Past) -> Scores:
        buyers = past.buyers(days)
        return lambda users, had: np.repeat(buyers[None], len(users), axis=0)

    return learn


def repeat(past: Past) -> Scores:
    """What was bought before, halved every 90 days; then what is popular."""
    decayed = past.matrix(90.0)

    def scores(users: Ints, had: sparse.csr_matrix) -> Floats:
        known = (users >= 0)[:, None]
        return np.asarray(decayed[np.maximum(users, 0)].toarray() * known)

    return scores


def cosine(past: Past) -> Scores:
    """Items that were bought by the same users, or in the same basket of an unknown one."""
    who = np.where(past.user >= 0, past.user, -1 - abs(past.basket))
    row = np.unique(who, return_inverse=True)[1]
    shape = (int(row.max()) + 1, past.items)
    once = sparse.csr_matrix((np.ones(len(row)), (row, past.item)), shape=shape)
    once.data = np.minimum(once.data, 1.0)
    norm = 1 / np.sqrt(np.maximum(np.asarray(once.sum(axis=0)).ravel(), 1.0))
    scaled = (once @ sparse.diags(norm)).tocsr()
    alike = (scaled.T @ scaled).tolil()
    alike.setdiag(0)
    similar = alike.tocsr()
    return lambda users, had: np.asarray((had @ similar).toarray())


WINDOWS = (1, 3, 7, 14, 28, 90)
SIMPLE: dict[str, Callable[[Past], Scores]] = {
    **{f"popularity_{days}": popularity(days) for days in WINDOWS},
    "repeat": repeat,
    "item_cosine": cosine,
}
