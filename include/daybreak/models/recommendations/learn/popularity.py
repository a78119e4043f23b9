"""Over how many days what is popular predicts best: of films three, of groceries a quarter.

Looked at as of several past days, on what was bought in the window after each, by all known users,
also those who came for the first time.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import NoData
from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.features.catalogue import (
    EPOCH,
    SPANS,
    USUAL_SPAN,
    build_catalogue,
    item_days,
)
from daybreak.models.recommendations.features.cells import firsts, offsets_of
from daybreak.models.recommendations.learn.measures import compare, ndcg
from daybreak.models.recommendations.numbers import Numbers

WINDOWS = 4
LENGTH = 10


class Popularity:
    """NDCG@10 of what is popular by span; each window is measured once, whoever asks for it."""

    def __init__(self, events: Events, numbers: Numbers) -> None:
        self._events, self._numbers = events, numbers
        self._sold = item_days(events)
        self._measured: dict[int, tuple[NDArray[np.float64], int]] = {}

    def days(self, today: int) -> int:
        """The best of ``SPANS`` for lists as of ``today``; of equals the longer one.

        ``USUAL_SPAN`` where nothing was bought in the windows.
        """
        found = self.scored(today)
        if not found:
            return USUAL_SPAN
        return max(SPANS, key=lambda span: (found[str(span)], span))

    def scored(self, today: int) -> dict[str, float]:
        """Span to the mean over the users of the last ``WINDOWS`` windows up to ``today``."""
        length = self._numbers.window_days
        parts = [self._window(today - length * n) for n in range(1, WINDOWS + 1)]
        users = sum(count for _, count in parts)
        if not users:
            return {}
        means = np.sum([total for total, _ in parts], axis=0) / users
        return {str(span): float(mean) for span, mean in zip(SPANS, means, strict=True)}

    def _window(self, day: int) -> tuple[NDArray[np.float64], int]:
        if day not in self._measured:
            self._measured[day] = self._measure(day)
        return self._measured[day]

    def _measure(self, day: int) -> tuple[NDArray[np.float64], int]:
        """Sum over users by span, (len(SPANS),), and how many users bought anything."""
        wanted = self._wanted(day)
        count = len(wanted.offsets) - 1
        try:
            catalogue = build_catalogue(self._sold, EPOCH + timedelta(days=day), self._numbers)
        except NoData:
            return np.zeros(len(SPANS)), 0
        sums = [
            ndcg(compare(np.repeat(order[None, :LENGTH], count, axis=0), wanted), LENGTH).sum()
            for order in catalogue.popular.astype(np.int64)
        ]
        return np.array(sums), count

    def _wanted(self, day: int) -> Ragged:
        """What each known user bought in the window after the day."""
        of = self._events
        later = (of.day > day) & (of.day <= day + self._numbers.window_days)
        rows = np.flatnonzero(later & (of.weight >= PURCHASE) & (of.user != UNKNOWN_USER))
        user, item = of.user[rows].astype(np.int64), of.item[rows].astype(np.int64)
        order = np.lexsort((item, user))
        user, item = user[order], item[order]
        once = firsts(user, item)
        place = np.cumsum(firsts(user[once])) - 1
        return Ragged(offsets_of(place, len(np.unique(user))), item[once])
