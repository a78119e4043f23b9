"""Each measure against fractions worked out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from daybreak.models.recommendations.features.candidates import Ragged
from daybreak.models.recommendations.learn.measures import (
    Lists,
    average_precision,
    compare,
    coverage,
    hit_rate,
    ndcg,
    novelty,
    recall,
)


def lists_of(items: list[list[int]], relevant: list[list[int]]) -> Lists:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in relevant])])
    flat = np.array([item for one in relevant for item in one], np.int64)
    return compare(np.array(items, np.int64), Ragged(offsets.astype(np.int64), flat))


# User 0 wants 3, 5 and 9 and is shown 5 first and 9 third. User 1 wants 7 and is shown it last.
# User 2 wants 1 and 2 and is shown a short list with neither.
THREE = lists_of([[5, 4, 9, 0], [1, 2, 3, 7], [8, 6, -1, -1]], [[3, 5, 9], [7], [1, 2]])


def test_hits_are_of_the_user_s_own_items() -> None:
    assert THREE.hits.tolist() == [
        [True, False, True, False],
        [False, False, False, True],
        [False, False, False, False],
    ]
    assert THREE.relevant.tolist() == [3, 1, 2]


def test_ndcg_is_the_gain_beside_the_best_possible() -> None:
    best = 1 + 1 / log2(3) + 1 / log2(4)  # three relevant items in front
    assert ndcg(THREE, 4) == pytest.approx([(1 + 1 / log2(4)) / best, 1 / log2(5), 0])
    # With k = 2 user 0 can have two hits at most, and has one in front.
    assert ndcg(THREE, 2) == pytest.approx([1 / (1 + 1 / log2(3)), 0, 0])


def test_a_perfect_list_has_all_of_it() -> None:
    perfect = lists_of([[2, 4, 1]], [[1, 2, 4]])
    assert ndcg(perfect, 3) == pytest.approx([1])
    assert recall(perfect, 3) == pytest.approx([1])
    assert average_precision(perfect, 3) == pytest.approx([1])


def test_more_places_than_the_list_has_count_as_misses() -> None:
    ideal = sum(1 / log2(place + 2) for place in range(3))
    assert ndcg(THREE, 10)[0] == pytest.approx((1 + 1 / log2(4)) / ideal)


def test_recall_is_the_share_of_what_was_wanted() -> None:
    assert recall(THREE, 4) == pytest.approx([2 / 3, 1, 0])
    assert recall(THREE, 2) == pytest.approx([1 / 3, 0, 0])


def test_average_precision_sums_precision_at_hits() -> None:
    # User 0: hits at places 1 and 3, precision 1 and 2/3; three hits would be possible.
    assert average_precision(THREE, 4) == pytest.approx([(1 + 2 / 3) / 3, 1 / 4, 0])
    # At most two hits fit into two places.
    assert average_precision(THREE, 2) == pytest.approx([1 / 2, 0, 0])


def test_hit_rate_asks_for_one_hit() -> None:
    assert hit_rate(THREE, 4).tolist() == [1, 1, 0]
    assert hit_rate(THREE, 3).tolist() == [1, 0, 0]


def test_coverage_counts_each_shown_item_once() -> None:
    assert coverage(THREE, 2, eligible=20) == pytest.approx(len({5, 4, 1, 2, 8, 6}) / 20)
    assert coverage(THREE, 4, eligible=20) == pytest.approx(
        len({5, 4, 9, 0, 1, 2, 3, 7, 8, 6}) / 20
    )


def test_novelty_is_the_mean_self_information_of_what_is_shown() -> None:
    buyers = np.array([16, 8, 4, 2, 1, 0, 16, 16, 8, 4.0])
    # Item 5 has no buyer, which counts as half a one.
    assert novelty(THREE, 4, buyers, 16) == pytest.approx(
        [(5 + 4 + 2 + 0) / 4, (1 + 2 + 3 + 0) / 4, (1 + 0) / 2]
    )
