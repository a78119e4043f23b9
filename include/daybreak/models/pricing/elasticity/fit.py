"""The fit: Poisson quasi-likelihood with levels, weeks, promotions and prices.

Units of a cell have the mean

    exposure x level x week x exp(e log(price) + g promotion)

``level`` is the series' own around the cell: units of the weeks within ``REACH`` beside what the
other factors say of them. A step of the price is so seen beside the weeks before and after it, and
neither trend nor season has to be named (Speckman, Kernel smoothing in partial linear models,
J. R. Statist. Soc. B 50, 1988). ``week`` is what a category's items have in common in a calendar
week, a random effect: many series say what it is, and a single one hardly takes its own price for
it. ``g``, the uplift of a promotion beside its price, is an item's own; ``e`` is a series', shrunk
to its kin (`pooling`).

Zeros need no care: the quasi-likelihood of Poisson needs the mean to be right and nothing else
(Gourieroux, Monfort and Trognon, Econometrica 52, 1984; Santos Silva and Tenreyro, The log of
gravity, Rev. Econ. Stat. 88, 2006), and levels of so few weeks bias nothing, as they enter as
factors. A series weighs by one over its dispersion. Estimates are the working values of a
penalised quasi-likelihood (Breslow and Clayton, Approximate inference in generalized linear mixed
models, JASA 88, 1993), by Newton's method on the profile.

All sums run over cells in key order, so no bit depends on how series were cut into shards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daybreak.models.pricing.elasticity.cells import Cells, Floats
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.elasticity.pooling import Pooled, Tree, gathered, pooled, summed

REACH = 6
"""Weeks before and after a cell that its level is made of: with six before a change and six after
it, a quarter, in which most assortments stay what they are."""
ROUNDS = 16
"""Of Newton's method; a test holds the result against four times as many."""
LARGEST_STEP = 2.0
MOST_FACTOR = 10.0
"""Largest log of a factor, up or down: a wild first step stays finite."""
PRIOR_CELLS = 8.0
"""Cells that a dispersion is worth which follows from the units alone."""
UPLIFT = 1.0
"""Variance of the logs of uplifts around none: so wide that it only keeps them finite."""
LEAST = 1e-8
"""Information below which a price did not move: what is left is rounding."""
MOST_FURTHER = 20.0


@dataclass(frozen=True)
class Fit:
    """What is known of all series, and of each cell.

    ``estimate`` and ``variance`` (n,): of each series by itself, the latter infinite where its
    price did not move. ``price``: shrunk. ``uplift`` (items,): log factor of a promotion.
    ``dispersion`` (n,): variance over mean. ``mean``, ``score`` (m,): what a cell was to sell,
    and its part in the score of its price, net of promotions. ``information`` (items,).
    ``excess`` and ``excess_variance``: of units over expected ones by category and week, and what
    of it is noise.
    """

    estimate: Floats
    variance: Floats
    price: Pooled
    uplift: Floats
    dispersion: Floats
    mean: Floats
    score: Floats
    information: Floats
    excess: Floats
    excess_variance: Floats
    moved: float
    """Largest change of an elasticity in the last round."""


@dataclass(frozen=True)
class _State:
    """At some coefficients, (m,): the mean, its weight (mean over dispersion), the residual over
    the dispersion, price and promotion net of their local means, and the share of a cell in its
    own level."""

    mean: Floats
    weight: Floats
    residual: Floats
    price: Floats
    promotion: Floats
    leverage: Floats


@dataclass(frozen=True)
class _Information:
    """On the elasticity: of each series (n,) where all else is known; of each item net of its
    uplift and of weeks, and of each category. ``price`` (m,): net of the uplift."""

    series: Floats
    items: Floats
    categories: Floats
    price: Floats

    def variance(self, hyper: Hyper) -> Floats:
        """Of a series' estimate, (n,); infinite where its price did not move."""
        moved = self.series > LEAST
        return np.where(moved, hyper.design / np.where(moved, self.series, 1.0), np.inf)

    def common(self, tree: Tree, hyper: Hyper) -> tuple[Floats, Floats]:
        """Variances of the errors that an item's series, and a category's items, share."""
        whole = summed(tree.item, self.series, tree.items)
        items = summed(tree.category, self.items, tree.categories)
        return (
            hyper.design * _lost(whole, self.items),
            hyper.design * _lost(items, self.categories),
        )

    def further_items(self, tree: Tree) -> Floats:
        """Information of the series over what is left of it, (items,)."""
        return _ratio(summed(tree.item, self.series, tree.items), self.items)

    def further_categories(self, tree: Tree) -> Floats:
        """Information of the items over what is left of it, (categories,)."""
        return _ratio(summed(tree.category, self.items, tree.categories), self.categories)


def _lost(whole: Floats, left: Floats) -> Floats:
    return np.maximum(1.0 / np.maximum(left, LEAST) - 1.0 / np.maximum(whole, LEAST), 0.0)


def _ratio(whole: Floats, left: Floats) -> Floats:
    return (np.maximum(whole, LEAST) / np.maximum(left, LEAST)).clip(1.0, MOST_FURTHER)


class Fitter:
    """Cells of all series, and which of them are beside which."""

    def __init__(self, cells: Cells, tree: Tree) -> None:
        self.cells, self.tree = cells, tree
        self.item = tree.item[cells.series]
        self.weeks = int(cells.week.max(initial=0)) + 1
        self.category_of_item = tree.category
        self.period = tree.category[self.item] * self.weeks + cells.week
        self.item_week = self.item * self.weeks + cells.week
        # Weeks of all series as one rising number, those of two series further than REACH apart.
        at = cells.series * (self.weeks + REACH + 1) + cells.week
        self.first = np.searchsorted(at, at - REACH)
        self.behind = np.searchsorted(at, at + REACH, side="right")
        each = cells.by_series(np.ones(len(cells)))
        usual = cells.by_series(cells.price) / np.maximum(each, 1.0)
        self.price = cells.price - usual[cells.series]
        self.sold = cells.by_series(cells.units) / np.maximum(each, 1.0)
        self.promoted = bool(cells.promotion.any())
        # Sums are differences of running ones, which round: never below the cell itself.
        self.units_around = np.maximum(self._around(cells.units), cells.units)

    def fit(self, hyper: Hyper, rounds: int = ROUNDS) -> Fit:
        """The fit at the variances of ``hyper``."""
        cells, tree = self.cells, self.tree
        elasticity, uplift = np.zeros(cells.count), np.zeros(tree.items)
        week = np.ones(tree.categories * self.weeks)
        dispersion = self._usual_dispersion(hyper)
        for _ in range(rounds):
            week, excess, total = self._week(
                self._state(elasticity, uplift, week, dispersion), week, hyper
            )
            if self.promoted:
                uplift = self._uplift(self._state(elasticity, uplift, week, dispersion), uplift)
            state = self._state(elasticity, uplift, week, dispersion)
            known = self._information(state, total, hyper)
            before = elasticity
            step = self._step(state, known, hyper)
            estimate = before + step
            variance = known.variance(hyper)
            price = pooled(estimate, variance, tree, hyper.between, known.common(tree, hyper))
            moved = (price.series.mean - before).clip(-LARGEST_STEP, LARGEST_STEP)
            elasticity = before + moved
            dispersion = self._dispersion(state, week, total, hyper)
            mean, score, information = state.mean, state.residual * known.price, known.items
            # Six times as large as the cells' units: no two of them are held at a time.
            del state, known
        return Fit(
            estimate=estimate,
            variance=variance,
            price=price,
            uplift=uplift,
            dispersion=dispersion,
            mean=mean,
            score=score,
            information=information,
            excess=excess,
            excess_variance=1.0 / np.maximum(total, np.finfo(float).tiny),
            moved=float(np.abs(moved).max(initial=0.0)),
        )

    def _around(self, values: Floats) -> Floats:
        """Sums of (m,) over the weeks of the same series within ``REACH``."""
        so_far = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(so_far[self.behind] - so_far[self.first])

    def _state(
        self, elasticity: Floats, uplift: Floats, week: Floats, dispersion: Floats
    ) -> _State:
        cells = self.cells
        logs = elasticity[cells.series] * self.price
        if self.promoted:
            logs += uplift[self.item] * cells.promotion
        factor = cells.exposure * np.exp(logs.clip(-MOST_FACTOR, MOST_FACTOR)) * week[self.period]
        expected = np.maximum(self._around(factor), np.finfo(float).tiny)
        mean = self.units_around / expected * factor
        noise = dispersion[cells.series]
        promotion = cells.promotion
        if self.promoted:
            promotion = promotion - self._around(factor * promotion) / expected
        return _State(
            mean=mean,
            weight=mean / noise,
            residual=(cells.units - mean) / noise,
            price=self.price - self._around(factor * self.price) / expected,
            promotion=promotion,
            leverage=factor / expected,
        )

    def _week(self, state: _State, week: Floats, hyper: Hyper) -> tuple[Floats, Floats, Floats]:
        """New effects of weeks; by category and week units over those expected without them, and
        these, over dispersions. A gamma variate of mean 1 is conjugate to Poisson counts."""
        weight = self._by_period(state.weight)
        expected = weight / week
        sold = weight + self._by_period(state.residual)
        prior = 1.0 / hyper.weeks**2
        excess = np.where(expected > 0, sold / np.where(expected > 0, expected, 1.0), 1.0)
        return (sold + prior) / (expected + prior), excess, expected

    def _uplift(self, state: _State, uplift: Floats) -> Floats:
        items = self.tree.items
        score = summed(self.item, state.residual * state.promotion, items)
        square = summed(self.item, state.weight * state.promotion**2, items)
        step = (score - uplift / UPLIFT) / (square + 1.0 / UPLIFT)
        return np.asarray(uplift + step.clip(-LARGEST_STEP, LARGEST_STEP))

    def _information(self, state: _State, total: Floats, hyper: Hyper) -> _Information:
        cells, tree = self.cells, self.tree
        weight, price, promotion = state.weight, state.price, state.promotion
        along = np.zeros(tree.items)
        if self.promoted:
            shared = summed(self.item, weight * price * promotion, tree.items)
            square = summed(self.item, weight * promotion**2, tree.items)
            along = shared / (square + 1.0 / UPLIFT)
            price = price - along[self.item] * promotion
        whole = summed(self.item, weight * price**2, tree.items) + along**2 / UPLIFT
        by_week = self._by_item_week(weight * price)
        common = 1.0 / (total.reshape(-1, self.weeks) + 1.0 / hyper.weeks**2)
        items = whole - (np.square(by_week) * common[tree.category]).sum(axis=1)
        of_category = np.zeros((tree.categories, self.weeks))
        np.add.at(of_category, tree.category, by_week)
        categories = summed(tree.category, whole, tree.categories)
        categories = categories - (np.square(of_category) * common).sum(axis=1)
        own = cells.by_series(weight * state.price**2)
        return _Information(own, items, categories, price)

    def _step(self, state: _State, known: _Information, hyper: Hyper) -> Floats:
        """Newton's step of each series, (n,).

        What the series of an item have in common is partly the uplift's, which is fitted again
        afterwards; what those of a category have, partly the weeks'. These common parts go further
        by what they leave.
        """
        tree, between = self.tree, hyper.between
        score = self.cells.by_series(state.residual * state.price)
        step = score / np.maximum(known.series, LEAST)
        of_item, of_category = known.common(tree, hyper)
        of_series = gathered(step, known.variance(hyper) + between[0], tree.item, of_item)
        further = known.further_items(tree)
        item = of_series.mean * further
        variance = of_series.variance + of_item + between[1]
        category = gathered(item, variance, tree.category, of_category).mean
        further_still = (known.further_categories(tree) - 1.0) * category
        return np.asarray(step + (item - of_series.mean + further_still[tree.category])[tree.item])

    def _usual_dispersion(self, hyper: Hyper) -> Floats:
        return np.asarray(1.0 + hyper.noise**2 * self.sold)

    def _dispersion(self, state: _State, week: Floats, total: Floats, hyper: Hyper) -> Floats:
        """Pearson's, of residuals net of what a cell itself adds to its level and its week."""
        cells = self.cells
        prior = 1.0 / hyper.weeks**2
        own = state.weight / week[self.period] / (total[self.period] + prior)
        left = (1.0 - state.leverage) * (1.0 - own)
        counts = (state.mean > 0) & (left > 0.05)
        square = np.square(cells.units - state.mean)
        below = np.where(counts, state.mean * left, 1.0)
        found = cells.by_series(np.where(counts, square / below, 0.0))
        usual = self._usual_dispersion(hyper)
        each = cells.by_series(counts)
        return np.asarray((found + PRIOR_CELLS * usual) / (each + PRIOR_CELLS))

    def _by_period(self, values: Floats) -> Floats:
        return summed(self.period, values, self.tree.categories * self.weeks)

    def _by_item_week(self, values: Floats) -> Floats:
        found = summed(self.item_week, values, self.tree.items * self.weeks)
        return found.reshape(-1, self.weeks)
