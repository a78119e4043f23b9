"""Lists beside what their users bought in the week after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.events import PURCHASE, UNKNOWN_USER
from daybreak.facts.interactions import read_events
from daybreak.models.hindsight import Columns, Hindsight, Realised
from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.learn.measures import compare, ndcg

WINDOW = 7
"""Days, as `report.recommendation_hits` has it."""
FIRST = 10


class ListHindsight(Hindsight):
    """The measure is NDCG@10 over all purchases of users who have a list of their own."""

    measure = "NDCG@10"
    higher_is_better = True
    unit = "purchase that the list did not hold"
    acted_on = ("item_id",)

    def known_from(self, warehouse: Connection, day: date, manifest: Mapping[str, Any]) -> date:
        """The end of the week."""
        return day + timedelta(days=WINDOW)

    def realised(self, warehouse: Connection, truth: AsOf, day: date, columns: Columns) -> Realised:
        """Units lost are distinct items that a user bought and that were not on the list."""
        try:
            bought = read_events(
                warehouse, AsOf(day + timedelta(days=WINDOW), truth.cutoff), days=WINDOW
            )
        except NoData:
            return Realised(0.0, 0.0, 0.0)
        counts = (bought.weight >= PURCHASE) & (bought.user != UNKNOWN_USER)
        pairs = np.unique(np.stack([bought.user[counts], bought.item[counts]]), axis=1)
        listed, place = np.unique(columns["user_id"].astype(str), return_inverse=True)
        names = bought.user_ids[pairs[0]].astype(str)
        at = np.minimum(np.searchsorted(listed, names), max(len(listed) - 1, 0))
        has_list = (listed[at] == names) if len(listed) else np.zeros(len(names), bool)
        if not has_list.any():
            return Realised(0.0, 0.0, 0.0)
        users, row = np.unique(at[has_list], return_inverse=True)
        order = np.argsort(row, kind="stable")
        offsets = np.searchsorted(row[order], np.arange(len(users) + 1))
        wanted = Ragged(offsets.astype(np.int64), pairs[1][has_list][order].astype(np.int64))
        lists = compare(_numbered(columns, place, users, bought.item_ids), wanted)
        met = lists.hits.sum()
        gained = ndcg(lists, FIRST)
        return Realised(float(gained.mean()), float(len(users)), float(len(wanted.item) - met))


def _numbered(columns: Columns, place: Any, users: Any, item_ids: Any) -> Any:
    """The lists of ``users``, int64 (n, K): numbers in ``item_ids``, past them what nobody bought,
    -1 past the end of a list."""
    known = {name: number for number, name in enumerate(item_ids.tolist())}
    row = np.full(int(place.max()) + 1, -1)
    row[users] = np.arange(len(users))
    chosen = np.flatnonzero(row[place] >= 0)
    rank = columns["rank"][chosen].astype(np.int64) - 1
    found = np.full((len(users), int(rank.max()) + 1), -1, np.int64)
    listed = columns["item_id"][chosen].tolist()
    found[row[place[chosen]], rank] = [known.setdefault(name, len(known)) for name in listed]
    return found
