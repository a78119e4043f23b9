"""Why an item is recommended: the source that ranks it highest, the item that adds most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daybreak.models.recommendations.features.candidates import SOURCES, Ragged, Wish, candidates
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.features.histories import default_row
from daybreak.models.recommendations.learn.day import Day, day_of
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from daybreak.models.recommendations.reasons import REASONS, reasons
from random_events import DAY, random_events
from recommendation_oracle import records_of

PRIORITY = (
    ("repeat", "again"),
    ("session", "together"),
    ("basket", "together"),
    ("bm25", "similar"),
    ("ease", "similar"),
    ("trending_7", "trending"),
    ("category", "popular"),
    ("popular", "popular"),
    ("trending_28", "popular"),
)


@pytest.fixture(scope="module")
def at() -> Day:
    known = random_events(31, items=40, events=500)
    return day_of(known, DAY, learn(known, Kernels(neighbours=8), threads=1))


def test_the_source_of_the_best_rank_is_the_reason(at: Day) -> None:
    found = candidates(at.rows, at.catalogue, at.learned)
    chosen = np.arange(len(found))[::3]
    code, because = reasons(at.rows, at.catalogue, at.learned, found, chosen)

    user = row_numbers(found.offsets)
    assert set(code) <= set(REASONS)
    assert {"again", "together", "similar"} <= set(code)
    for place, row in enumerate(chosen):
        records = {int(r["item"]): r for r in records_of(at.rows, int(user[row]))}
        item = int(found.item[row])
        had = item in records and records[item]["bought"] > 0
        ranks = [
            (found.ranks[row, SOURCES.index(source)], number)
            for number, (source, _) in enumerate(PRIORITY)
            if not np.isnan(found.ranks[row, SOURCES.index(source)]) and (source != "repeat" or had)
        ]
        source, reason = PRIORITY[min(ranks)[1]]
        assert code[place] == reason
        if reason in ("together", "similar"):
            bonds = at.learned.neighbours[source].toarray()[:, item]
            votes = {i: r["long"] * bonds[i] for i, r in records.items() if bonds[i] > 0}
            assert because[place] == max(sorted(votes), key=lambda i: votes[i])
        else:
            assert because[place] == -1


def test_a_session_explains_first(at: Day) -> None:
    item = int(np.argmax(np.diff(at.learned.neighbours["basket"].indptr)))
    session = Ragged(np.array([0, 1]), np.array([item]))
    found = candidates(default_row(), at.catalogue, at.learned, Wish(session))
    chosen = np.arange(len(found))
    code, because = reasons(default_row(), at.catalogue, at.learned, found, chosen, session)
    bound = ~np.isnan(found.scores[:, SOURCES.index("session")])
    assert bound.any()
    assert (code[bound] == "together").all()
    assert (because[bound] == item).all()
    # What was in no basket with it may be what its buyers bought as well.
    assert set(code[~bound]) <= {"similar", "trending", "popular"}
    assert set(because[code == "similar"]) <= {item}
    assert set(because[np.isin(code, ["trending", "popular"])]) <= {-1}


def test_a_session_speaks_through_every_kernel_and_its_category(at: Day) -> None:
    """Also where no user has a history, and where no basket holds two items."""
    item = int(np.argmax(np.diff(at.learned.neighbours["bm25"].indptr)))
    session = Ragged(np.array([0, 1]), np.array([item]))
    alone = {**at.learned.neighbours, "basket": at.learned.neighbours["basket"] * 0}
    learned = replace(at.learned, neighbours=alone)
    found = candidates(default_row(), at.catalogue, learned, Wish(session))
    for source in ("bm25", "ease", "category"):
        assert (~np.isnan(found.scores[:, SOURCES.index(source)])).any(), source


def test_a_stranger_is_told_what_is_popular(at: Day) -> None:
    found = candidates(default_row(), at.catalogue, at.learned)
    code, because = reasons(default_row(), at.catalogue, at.learned, found, np.arange(len(found)))
    assert set(code) <= {"trending", "popular"}
    assert (because == -1).all()
