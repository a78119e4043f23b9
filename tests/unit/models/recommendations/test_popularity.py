"""Which days of popularity predict best, against plain loops, and that nothing later is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daybreak.facts.events import Events
from daybreak.models.recommendations.features.catalogue import SPANS, build_catalogue, item_days
from daybreak.models.recommendations.features.cells import until, where
from daybreak.models.recommendations.learn.popularity import WINDOWS, Popularity
from daybreak.models.recommendations.numbers import Numbers
from random_events import DAY, ago, purchases, random_events

NUMBERS = Numbers()


def measured(events: Events, today: int) -> dict[str, float]:
    """By loops: NDCG@10 of the ten most bought items, a user of a window at a time."""
    values: dict[int, list[float]] = {span: [] for span in SPANS}
    for back in range(1, WINDOWS + 1):
        day = today - 7 * back
        catalogue = build_catalogue(item_days(until(events, day)), ago(DAY - day))
        window = (events.day > day) & (events.day <= day + 7) & (events.weight >= 1)
        for user in range(len(events.user_ids)):
            wanted = set(events.item[window & (events.user == user)].tolist())
            if not wanted:
                continue
            best = sum(1 / np.log2(2 + n) for n in range(min(len(wanted), 10)))
            for span in SPANS:
                listed = catalogue.popular_in(span)[:10].tolist()
                gain = sum(1 / np.log2(2 + n) for n, i in enumerate(listed) if i in wanted)
                values[span].append(gain / best)
    return {str(span): float(np.mean(of)) for span, of in values.items()}


@pytest.mark.parametrize("seed", [71, 72])
def test_each_span_is_measured_as_loops_do_it(seed: int) -> None:
    events = random_events(seed, users=15, items=40, events=900, days=130)
    found = Popularity(events, NUMBERS)
    wanted = measured(events, DAY)
    assert found.scored(DAY) == pytest.approx(wanted)
    assert len(set(wanted.values())) == len(SPANS)
    assert found.days(DAY) == int(max(wanted, key=lambda span: wanted[span]))
    # Of an earlier day, with windows that were measured and one that was not.
    assert found.scored(DAY - 7) == pytest.approx(measured(events, DAY - 7))


def test_nothing_that_comes_later_is_seen() -> None:
    events = random_events(73, users=15, items=40, events=900, days=130)
    whole, known = Popularity(events, NUMBERS), Popularity(until(events, DAY - 14), NUMBERS)
    assert whole.scored(DAY - 14) == known.scored(DAY - 14)
    late = events.day > DAY - 14
    other = replace(events, item=np.where(late, events.item[::-1], events.item))
    assert Popularity(other, NUMBERS).scored(DAY - 14) == known.scored(DAY - 14)
    assert Popularity(other, NUMBERS).scored(DAY) != whole.scored(DAY)


def test_what_is_wanted_for_a_few_days_only_is_found_by_a_short_span() -> None:
    """Each week another ten items are bought, and those of the week before never again."""
    fads = [
        (f"u{week}-{day}-{n}", f"w{week:02d}-{n}", 7 * week + day)
        for week in range(10)
        for day in range(7)
        for n in range(10)
    ]
    late = [("v" + user, item, day - 3) for user, item, day in fads if day >= 3]
    assert Popularity(purchases([*fads, *late]), NUMBERS).days(DAY) in {3, 7}

    rng = np.random.default_rng(0)
    often = 1 / np.arange(2, 62)
    staples = [
        (f"u{day}-{n}", f"i{item:02d}", day)
        for day in range(140)
        for n, item in enumerate(rng.choice(60, 7, p=often / often.sum()).tolist())
    ]
    best = Popularity(purchases(staples), NUMBERS).days(DAY)
    assert best in {28, 90}


def test_a_month_is_usual_where_nothing_was_measured() -> None:
    events = random_events(74, days=60)
    for nothing in (where(events, events.user < 0), until(events, DAY - 50)):
        assert Popularity(nothing, NUMBERS).scored(DAY) == {}
        assert Popularity(nothing, NUMBERS).days(DAY) == 28
