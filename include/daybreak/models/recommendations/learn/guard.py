"""Which lists the trees make alone, by how long a user's history is.

Trees are at their best where there is a history to learn from. For a user of one day, or of none,
there may be too few lists to learn from, and then a formula does better, or both together. It is
decided on a week that the trees have not seen, for each class of users by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.recommendations.features.assemble import assemble
from daybreak.models.recommendations.features.candidates import Wish, candidates
from daybreak.models.recommendations.features.histories import LAYOUT
from daybreak.models.recommendations.formulas import FORMULAS, GUARD, HISTORIES, POPULAR, scores_of
from daybreak.models.recommendations.learn.day import chosen, chosen_items
from daybreak.models.recommendations.learn.evaluate import Margins
from daybreak.models.recommendations.learn.held_out import FIRST_DAY, Asked, HeldOut
from daybreak.models.recommendations.learn.measures import compare, ndcg
from daybreak.models.recommendations.lists import best, square

SHARES = (0.75, 0.5, 0.25, 0.0)
CLEARLY = 2.0
"""Standard errors by which a mixture has to be better than the trees alone; the usual 95 %."""
NOBODY = "none"
"""Users without history. Popularity is what has to be beaten there, by the trees or a mixture: they
know of items what it knows. All newcomers see one list, so users of one week say little more."""
ONE_DAY = "1 day"
LIKELY = 1.0
"""Standard errors by which popularity has to be better for users of one day: little is known of
them, and a list that is worse than what anybody sees is what they would leave for."""
USERS_AT_ONCE = 500
LENGTH = 10

Floats = NDArray[np.float64]


def guard_of(held: HeldOut, reading: str, margins: Margins) -> dict[str, Any]:
    """The manifest's ``guard``: by class of users the formula and the share of the trees.

    ``users``: lists it was decided on, those of first days among them; no mixture is taken that
    loses on these or on the others. ``difference``, ``standard_error``: of NDCG@10 from the trees
    alone, without history from popularity, paired by list; 0 where nothing is clearly better.
    """
    parts = [_measured(held, held.asked[name], margins) for name in (reading, FIRST_DAY)]
    visits = held.at.rows.values[:, LAYOUT.index("user_visits")]
    users = np.concatenate([held.asked[name].users for name in (reading, FIRST_DAY)])
    of_class = np.searchsorted([*HISTORIES.values()][1:], visits[users], side="right")
    values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    came_back = np.arange(len(users)) < len(held.asked[reading])
    return {
        name: _choice(
            {key: of[of_class == number] for key, of in values.items()},
            came_back[of_class == number],
            name,
        )
        for number, name in enumerate(HISTORIES)
    }


def _choice(
    values: Mapping[tuple[str, float], Floats], came_back: NDArray[np.bool_], name: str
) -> dict[str, Any]:
    usual = (POPULAR, 0.0) if name == NOBODY else next(iter(values))
    gains = {key: of - values[usual] for key, of in values.items()}
    if name == NOBODY:
        gains = {key: of for key, of in gains.items() if key[0] == POPULAR}
    # What is gained of first days shall not be lost of those who came back, nor the other way.
    parts = (came_back, ~came_back)
    gains = {key: of for key, of in gains.items() if all(of[part].sum() >= 0 for part in parts)}
    count = len(came_back)
    found = {"baseline": usual[0], "trees": usual[1], "users": count}
    for keys, needed in _in_turn(gains, name) if count > 1 else ():
        key = max(keys, key=lambda one: gains[one].sum())
        gain, error = gains[key].mean(), gains[key].std(ddof=1) / np.sqrt(count)
        if gain > needed * error:
            found |= {"baseline": key[0], "trees": key[1]}
            return found | {"difference": float(gain), "standard_error": float(error)}
    return found | {"difference": 0.0, "standard_error": None}


def _in_turn(
    keys: Iterable[tuple[str, float]], name: str
) -> Iterator[tuple[list[tuple[str, float]], float]]:
    """Mixtures of which the best one is taken, if it is better by so many standard errors."""
    every = list(keys)
    yield every, CLEARLY
    if name == ONE_DAY:
        yield [key for key in every if key[0] == POPULAR], LIKELY


def _measured(held: HeldOut, asked: Asked, margins: Margins) -> dict[tuple[str, float], Floats]:
    """Formula and share of the trees to NDCG@10 of each list, (n,); the trees alone come first."""
    at = held.at
    keys = [(next(iter(FORMULAS)), 1.0), *((name, share) for name in FORMULAS for share in SHARES)]
    found: dict[tuple[str, float], list[Floats]] = {key: [np.empty(0)] for key in keys}
    for first in range(0, len(asked), USERS_AT_ONCE):
        part = np.arange(first, min(first + USERS_AT_ONCE, len(asked)))
        rows, wanted = chosen(at.rows, asked.users[part]), chosen_items(asked.relevant, part)
        named = candidates(rows, at.catalogue, at.learned, Wish(new_only=asked.new_only))
        features = assemble(rows, at.catalogue, at.learned, named)
        of_trees = margins(features).reshape(-1, 1)
        for name, share in keys:
            guard = {one: {"baseline": name, "trees": share} for one in HISTORIES}
            scores = scores_of(of_trees, features, named.offsets, {GUARD: guard})
            items = square(named, best(named, scores, LENGTH), LENGTH)
            found[name, share].append(ndcg(compare(items, wanted), LENGTH))
    return {key: np.concatenate(of) for key, of in found.items()}
