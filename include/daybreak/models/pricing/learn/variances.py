"""What a version keeps: by how much responses differ, and how noisy sales are (`Hyper`).

All by the method of moments, in a few rounds of fitting and estimating. Each has a usual value
that counts as a few more members, so that a small shop does not learn that all of its items are
equal, or that nothing is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daybreak.models.base import Progress, quiet
from daybreak.models.pricing.elasticity.cells import Floats
from daybreak.models.pricing.elasticity.fit import Fit, Fitter
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.elasticity.pooling import Numbers, between_variance

ROUNDS = 4
CLUSTER_WEEKS = 8
"""Weeks of an item, in all stores, that may have anything in common: one leaflet, one shortage."""
LEAST_CLUSTERS = 4
LARGEST_DESIGN = 25.0
MEMBERS = 5.0
"""Members that a usual value is worth."""
USUAL = Hyper()


def learned(fitter: Fitter, progress: Progress = quiet) -> Hyper:
    """The variances at which estimates differ as much as they do."""
    hyper = USUAL
    for number in range(ROUNDS):
        progress(f"Round {number + 1} of {ROUNDS}: how much responses differ")
        hyper = moments(fitter, fitter.fit(hyper), hyper)
    return hyper


def moments(fitter: Fitter, fit: Fit, hyper: Hyper) -> Hyper:
    """The variances that follow from a fit made with ``hyper``."""
    tree, price = fitter.tree, fit.price
    of_item, of_category = price.series_of_item, price.items_of_category
    found = replace(
        hyper,
        noise=_noise(fitter, fit, hyper),
        design=_design(fitter, fit),
        weeks=_deviation(fit.excess, fit.excess_variance, _together(fit.excess), USUAL.weeks),
        stores=_deviation(fit.estimate, fit.variance, tree.item, USUAL.stores),
        items=_deviation(
            of_item.mean, of_item.variance + of_item.common, tree.category, USUAL.items
        ),
        categories=_deviation(
            of_category.mean,
            of_category.variance + of_category.common,
            _together(of_category.mean),
            USUAL.categories,
        ),
    )
    return Hyper.of(found.to_options())


def _deviation(
    estimate: Floats,
    variance: Floats,
    group: Numbers,
    usual: float,
) -> float:
    groups = int(group.max(initial=0)) + 1
    found = between_variance(estimate, variance, group, groups, usual=usual**2, worth=MEMBERS)
    return float(np.clip(np.sqrt(found), 1e-3, 3.0))


def _together(values: Floats) -> Numbers:
    return np.zeros(len(values), np.intp)


def _noise(fitter: Fitter, fit: Fit, hyper: Hyper) -> float:
    """The middle series' share beyond Poisson, weighed by how much of its dispersion it is."""
    sold = fitter.sold
    known = np.flatnonzero(sold > 0)
    if not len(known):
        return USUAL.noise
    squares = (fit.dispersion[known] - 1.0) / sold[known]
    weight = np.square(sold[known] / (1.0 + hyper.noise**2 * sold[known]))
    order = np.argsort(squares, kind="stable")
    reached = np.cumsum(weight[order])
    middle = squares[order][np.searchsorted(reached, reached[-1] / 2)]
    return float(np.sqrt(np.clip(middle, 1e-6, 100.0)))


def _design(fitter: Fitter, fit: Fit) -> float:
    """Squared scores of clusters over the information that these should add up to."""
    items = fitter.tree.items
    clusters = fitter.weeks // CLUSTER_WEEKS + 1
    place = fitter.item * clusters + fitter.cells.week // CLUSTER_WEEKS
    sums = np.bincount(place, fit.score, items * clusters).reshape(items, clusters)
    counted = (sums != 0).sum(axis=1)
    known = (counted >= LEAST_CLUSTERS) & (fit.information > 0)
    ratio = np.square(sums[known]).sum(axis=1) / fit.information[known]
    ratio = (ratio * counted[known] / (counted[known] - 1)).clip(0.0, LARGEST_DESIGN)
    return float((ratio.sum() + MEMBERS * USUAL.design) / (len(ratio) + MEMBERS))
