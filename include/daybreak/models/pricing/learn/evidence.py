"""What responses are worth: estimates of some weeks, at the price changes of later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.rows import Series
from daybreak.models.base import Progress, quiet
from daybreak.models.pricing.elasticity.cells import Cells, Floats
from daybreak.models.pricing.elasticity.fit import Fit, Fitter
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.learn.changes import Changes, changes_of
from daybreak.models.pricing.learn.facts import Facts
from daybreak.models.pricing.learn.measures import MODEL, measures_of
from daybreak.models.pricing.learn.variances import learned
from daybreak.models.pricing.response import Estimates, known

CATEGORY, SHOP = "category", "shop"
WEEKS = 13
"""Of a fold, a quarter: prices of most shops are reviewed within it."""
FOLDS = 2
NOBODY: Mapping[str, Hyper] = {}
LEAST_GROUPS = 5
"""With fewer, the error of what they say cannot be told."""


@dataclass(frozen=True)
class Fold:
    """Changes of later weeks (k,), and what earlier ones made of them: elasticities by method, the
    dispersion of units, and the key (store, item) of each. ``refused``: changes of series without
    an elasticity, whose prices stay."""

    changes: Changes
    methods: Mapping[str, Floats]
    dispersion: Floats
    keys: list[Series]
    refused: int


def evidence(
    facts: Facts,
    progress: Progress = quiet,
    hyper: Hyper | None = None,
    also: Mapping[str, Hyper] = NOBODY,
) -> dict[str, Any]:
    """Measures as JSON: the last weeks of ``facts``, a quarter each and at most half of them all,
    by those before. ``hyper``: a version's; None: what is learned of the weeks before. ``also``:
    other versions', by name."""
    span = min(WEEKS, facts.weeks // (2 * FOLDS))
    folds = []
    for back in range(FOLDS, 0, -1) if span else ():
        since = facts.weeks - back * span
        progress(f"Price changes of weeks {since + 1} to {since + span}, by those before")
        fitter = facts.before(since)
        later = facts.cells.where(facts.cells.week < since + span)
        learnt = hyper or learned(fitter)
        folds.append(fold_of(fitter, learnt, later, since, series=facts.series, also=also))
    return {"weeks": span * FOLDS, **together(folds)}


def fold_of(
    fitter: Fitter,
    hyper: Hyper,
    cells: Cells,
    since: int,
    *,
    series: Sequence[Series],
    also: Mapping[str, Hyper] = NOBODY,
) -> Fold:
    """The changes of ``cells`` from the week ``since`` on by a fit of those before."""
    tree = fitter.tree
    fit = fitter.fit(hyper)
    answered = answers_of(fit, fitter)
    changes = changes_of(cells, tree, since)
    given = changes.where(~answered.refused[changes.series])
    category = tree.category[tree.item[given.series]]
    methods = {
        MODEL: answered.elasticity[given.series],
        CATEGORY: np.minimum(fit.price.category.mean[category], 0.0),
        SHOP: np.full(len(given), min(float(fit.price.whole.mean[0]), 0.0)),
    }
    for name, other in also.items():
        methods[name] = np.nan_to_num(
            answers_of(fitter.fit(other), fitter).elasticity[given.series]
        )
    return Fold(
        given,
        methods,
        np.maximum(fit.dispersion[given.series], 1.0),
        [series[place] for place in given.series],
        len(changes) - len(given),
    )


def answers_of(fit: Fit, fitter: Fitter) -> Estimates:
    """What is answered of each series."""
    names = np.array([""] * fitter.tree.categories, object)
    return known(fit, fitter.tree, names).series


def together(folds: Sequence[Fold]) -> dict[str, Any]:
    """The measures of all folds."""
    if not folds:
        return {"changes": 0, "refused_changes": 0}
    names = folds[0].methods
    return {
        **measures_of(
            Changes.joined([fold.changes for fold in folds]),
            {name: np.concatenate([fold.methods[name] for fold in folds]) for name in names},
            np.concatenate([fold.dispersion for fold in folds]),
            _groups([key for fold in folds for key in fold.keys]),
        ),
        "refused_changes": sum(fold.refused for fold in folds),
    }


def _groups(keys: Sequence[Series]) -> NDArray[np.intp]:
    """Which changes have something in common: those of an item; of a series where items are few."""
    items = [item for _, item in keys]
    few = len({*items}) < LEAST_GROUPS
    names = ["\0".join(key) for key in keys] if few else items
    return np.unique(np.array(names, str), return_inverse=True)[1].astype(np.intp)
