"""Histograms on the grid of bfloat16 beside numpy's, and the bins that are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daybreak.histogram import (
    EMPTY,
    FEW,
    MISSING,
    MOST_BINS,
    Bins,
    Histogram,
    bins_of,
    keys_of,
    values_of,
)

LARGEST = float(np.float32(1e38))
FLOATS = st.floats(-LARGEST, LARGEST, width=32) | st.just(np.nan)
VALUES = arrays(np.float32, st.integers(0, 80), elements=FLOATS)


def as_dict(histogram: Histogram) -> dict[int, int]:
    return dict(zip(histogram.keys.tolist(), histogram.counts.tolist(), strict=True))


@given(st.lists(VALUES, max_size=5))
def test_the_histogram_of_all_is_the_sum_of_those_of_the_parts(parts: list[Any]) -> None:
    whole = Histogram.of(np.concatenate([np.empty(0, np.float32), *parts]))
    added = Histogram.sum([Histogram.of(part) for part in parts])
    backwards = Histogram.sum([Histogram.of(part) for part in reversed(parts)])

    assert as_dict(added) == as_dict(whole) == as_dict(backwards)
    assert added.to_bytes() == whole.to_bytes()
    assert whole.values == sum(map(len, parts))


@given(VALUES)
def test_keys_have_the_order_of_their_values_and_are_at_most_a_bin_below(values: Any) -> None:
    known = np.sort(values[~np.isnan(values)])
    keys = keys_of(known)

    assert (np.diff(keys.astype(int)) >= 0).all()
    assert (keys > MISSING).all()
    nearest = values_of(keys).astype(np.float64)
    exact = known.astype(np.float64)
    assert (np.abs(nearest) <= np.abs(exact)).all()
    # Subnormal numbers have a width of their own.
    assert (np.abs(exact - nearest) <= np.maximum(np.abs(exact) / 128, 1e-38)).all()
    assert np.array_equal(keys_of(values_of(keys)), keys)


@given(VALUES)
def test_what_is_missing_is_counted_and_nothing_is_lost_in_bytes(values: Any) -> None:
    found = Histogram.of(values)
    assert found.missing == np.isnan(values).sum()
    again = Histogram.from_bytes(*found.to_bytes())
    assert as_dict(again) == as_dict(found)


@given(VALUES, VALUES)
def test_bins_count_every_value_once_and_are_few(trained: Any, others: Any) -> None:
    bins = bins_of(Histogram.of(trained))
    assert bins.number <= max(MOST_BINS, FEW) + 3
    counts = bins.counts(Histogram.of(others))
    assert counts.sum() == len(others)
    assert counts[0] == np.isnan(others).sum()
    own = bins.counts(Histogram.of(trained))
    if not np.isnan(trained).all():
        assert own[1] == own[-1] == 0  # nothing is below or above what they are made of
    assert np.array_equal(Bins.from_values(bins.to_values()).edges, bins.edges)


def test_bins_are_those_of_numpy_by_quantiles() -> None:
    values = np.random.default_rng(1).lognormal(0, 1, 10_000).astype(np.float32)
    bins = bins_of(Histogram.of(values))
    edges = np.quantile(values, np.arange(1, 11) / 10, method="inverted_cdf")
    assert np.array_equal(bins.edges[1:], keys_of(edges.astype(np.float32)))
    # Nearly as many values each: but for those that share a place of the grid.
    assert (np.abs(bins.counts(Histogram.of(values))[2:-1] - 1000) < 150).all()


def test_few_values_have_a_bin_each() -> None:
    values = np.array([0, 0, 0, 1, 2, 5, np.nan], np.float32)
    bins = bins_of(Histogram.of(values))
    assert bins.counts(Histogram.of(values)).tolist() == [1, 0, 3, 1, 1, 1, 0]
    other = np.array([-1, 3, 99], np.float32)
    assert bins.counts(Histogram.of(other)).tolist() == [0, 1, 0, 0, 0, 1, 1]


def test_edges_are_finite_whatever_was_seen() -> None:
    lowest = np.full(3, np.finfo(np.float32).min)
    assert np.isfinite(bins_of(Histogram.of(lowest)).to_values()).all()


def test_zeros_are_one_and_infinity_is_missing() -> None:
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)
    assert as_dict(Histogram.of(values)) == {MISSING: 3, 0: 2}


@pytest.mark.parametrize("shape", [(), (3, 0), (0,)])
def test_any_shape_will_do(shape: tuple[int, ...]) -> None:
    assert Histogram.of(np.ones(shape, np.float32)).values == int(np.prod(shape))
    assert Histogram.sum([]) is EMPTY
    assert bins_of(EMPTY).counts(Histogram.of(np.ones(2, np.float32))).tolist() == [0, 2]


def test_keys_may_be_given() -> None:
    assert as_dict(Histogram.of_keys(np.array([5, 3, 5], np.int16))) == {3: 1, 5: 2}


@given(VALUES, VALUES)
def test_values_are_counted_by_bins_as_their_histogram_is(some: Any, others: Any) -> None:
    bins = bins_of(Histogram.of(some))
    with_infinity = np.append(others, [np.inf, -np.inf, -0.0]).astype(np.float32)
    found = bins.counts_of(with_infinity)
    assert found.tolist() == bins.counts(Histogram.of(with_infinity)).tolist()
    assert found.sum() == len(with_infinity)
