"""Estimates of series, items and categories, each believed as far as its data and kin allow.

A series deviates from its item, an item from its category, a category from all; how much such
deviate is a variance that a version has learned. What is known of one is then the mean of what its
own data say and of what its parent says, weighted by their precisions (empirical Bayes; Efron and
Morris, Data analysis using Stein's estimator, JASA 70, 1975). With known variances this is the
best linear unbiased prediction of the nested model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Tree:
    """Which item each of ``n`` series is of, (n,); which category each of the items, (items,).

    Categories are numbers below ``categories``.
    """

    item: Numbers
    category: Numbers
    categories: int

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.category)


@dataclass(frozen=True)
class Level:
    """What is known of each of k: ``mean``, ``variance`` and ``own``, the weight of own data."""

    mean: Floats
    variance: Floats
    own: Floats


@dataclass(frozen=True)
class Gathered:
    """What the members of each of k groups say together: ``variance`` without ``common``, the
    variance of an error that all members of a group share. Infinite where none says anything."""

    mean: Floats
    variance: Floats
    common: Floats


@dataclass(frozen=True)
class Pooled:
    """``whole``: of all, (1,). ``series_of_item`` and ``items_of_category``: before shrinkage."""

    series: Level
    item: Level
    category: Level
    whole: Level
    series_of_item: Gathered
    items_of_category: Gathered


def pooled(
    estimate: Floats,
    variance: Floats,
    tree: Tree,
    between: tuple[float, float, float],
    common: tuple[Floats, Floats],
) -> Pooled:
    """Each series (n,) from its own estimate and its kin.

    ``variance`` (n,) of the estimates, infinite where there is none. ``between``: variances of
    series within an item, of items within a category, of categories. ``common``: variances of the
    errors that all estimates of an item (items,), and of a category (categories,), share.
    """
    of_item, of_category = common
    items = gathered(estimate, variance + between[0], tree.item, of_item)
    categories = gathered(
        items.mean, items.variance + of_item + between[1], tree.category, of_category
    )
    alone = np.zeros(tree.categories, np.intp)
    none = np.zeros(1)
    all_of_them = gathered(
        categories.mean, categories.variance + of_category + between[2], alone, none
    )
    whole = Level(all_of_them.mean, all_of_them.variance, np.ones(1))
    category = _believed(
        categories.mean,
        categories.variance + of_category,
        parent=alone,
        between=between[2],
        said=all_of_them,
        parents=whole,
    )
    item = _believed(
        items.mean,
        items.variance + of_item,
        parent=tree.category,
        between=between[1],
        said=categories,
        parents=category,
    )
    shared = Gathered(items.mean, items.variance, of_item + of_category[tree.category])
    series = _believed(
        estimate, variance, parent=tree.item, between=between[0], said=shared, parents=item
    )
    return Pooled(series, item, category, whole, items, categories)


def summed(group: NDArray[Any], values: NDArray[Any], groups: int) -> Floats:
    """Sums of (m,) over each group, (groups,), one after the other."""
    return np.bincount(group, values, groups).astype(np.float64)


def gathered(values: Floats, variance: Floats, group: Numbers, common: Floats) -> Gathered:
    """The weighted mean of each group, (groups,), as many as ``common`` has; 0 without a value."""
    weight = 1.0 / variance
    total = summed(group, weight, len(common))
    known = total > 0
    mean = summed(group, weight * values, len(common))
    sure = np.where(known, total, 1.0)
    return Gathered(np.where(known, mean / sure, 0.0), np.where(known, 1.0 / sure, np.inf), common)


def _believed(
    mean: Floats,
    variance: Floats,
    *,
    parent: Numbers,
    between: float,
    said: Gathered,
    parents: Level,
) -> Level:
    """Own data and the parent's, by precision.

    A parent's mean has its children's data in it, and should: given the parent, a child depends on
    its own data alone, so this is the posterior of the nested model. Of what the children's mean
    is off its parent's posterior, the part ``common / (common + variance)`` is the error that they
    share, and no deviation of any of them.
    """
    weight = between / (between + variance)
    known = np.isfinite(said.variance)
    spread = np.where(known, said.variance, 0.0)
    shared = np.where(known, said.common / (said.common + spread + _LEAST), 0.0)
    off = (shared * (said.mean - parents.mean))[parent]
    left = 1.0 - weight * (1.0 - shared[parent])
    return Level(
        weight * (mean - off) + (1.0 - weight) * parents.mean[parent],
        (1.0 - weight) * between
        + np.square(left) * parents.variance[parent]
        + np.square(weight) * (shared * spread)[parent],
        weight * (1.0 - shared[parent]),
    )


_LEAST = float(np.finfo(np.float64).tiny)


def between_variance(
    estimate: Floats,
    variance: Floats,
    group: Numbers,
    groups: int,
    *,
    usual: float,
    worth: float,
) -> float:
    """How much the true values of a group's members differ, over all groups.

    The variance at which squared deviations from the groups' means are what they have to be:
    sum of w (b - mean)^2 with w = 1 / (v + variance) equals the degrees of freedom (Paule and
    Mandel, Consensus values and weighting factors, J. Res. NBS 87, 1982). So that few members do
    not say 0 or anything, ``worth`` members that differ by ``usual`` (a variance) are added.
    """
    known = np.isfinite(variance)
    b, v, g = estimate[known], variance[known], group[known]
    members = np.bincount(g, minlength=groups)
    freedom = float(np.maximum(members - 1, 0).sum())

    def beyond(between: float) -> float:
        middle = gathered(b, v + between, g, np.zeros(groups)).mean
        squares = float((np.square(b - middle[g]) / (v + between)).sum())
        return squares + worth * usual / between - freedom - worth

    low, high = 1e-6, 1e3
    if beyond(high) > 0:
        return high
    if beyond(low) < 0:
        return low
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if beyond(middle) > 0 else (low, middle)
    return float(np.sqrt(low * high))
