"""What a version has learned: by how much price responses differ, and how noisy sales are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from daybreak.models.options import Option, chosen


@dataclass(frozen=True)
class Hyper:
    """Standard deviations of elasticities, and of what is noise.

    ``stores``: of an item's elasticity between stores. ``items``: between items of a category.
    ``categories``: between categories. ``weeks``: of what the items of a category have in common
    in a week (in logs). ``noise``: of a cell's mean beyond Poisson, as a share of it. ``design``:
    by how much the variance of estimates is larger than of cells that know nothing of one another
    (Kish's design effect).

    The defaults hold where nothing was learned. Elasticities of products differ by much more
    between shops than these (standard deviation 2.2 in 1,851 estimates: Bijmolt, van Heerde and
    Pieters, New empirical generalizations on the determinants of price elasticity, J. Marketing
    Research 42, 2005); within one shop and category by less.
    """

    stores: float = 0.3
    items: float = 0.5
    categories: float = 0.5
    weeks: float = 0.1
    noise: float = 0.3
    design: float = 1.5

    @property
    def between(self) -> tuple[float, float, float]:
        """The variances of `pooling.pooled`."""
        return self.stores**2, self.items**2, self.categories**2

    def to_options(self) -> dict[str, float]:
        """As the manifest's ``options`` have it."""
        return {PREFIX + name: value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, options: Mapping[str, float]) -> Hyper:
        """From options, others of which are left alone. Raises ``InvalidRequest``."""
        given = {name: value for name, value in options.items() if name in OPTIONS}
        found = chosen(given, OPTIONS)
        return cls(**{name.removeprefix(PREFIX): value for name, value in found.items()})


PREFIX = "response_"
OPTIONS = {
    PREFIX + "stores": Option(Hyper.stores, 1e-3, 10.0),
    PREFIX + "items": Option(Hyper.items, 1e-3, 10.0),
    PREFIX + "categories": Option(Hyper.categories, 1e-3, 10.0),
    PREFIX + "weeks": Option(Hyper.weeks, 1e-3, 3.0),
    PREFIX + "noise": Option(Hyper.noise, 1e-3, 10.0),
    PREFIX + "design": Option(Hyper.design, 0.1, 100.0),
}
"""What of the options of the model is about the response to prices, with its bounds."""
