"""What an operator may set of the recommendations, within which bounds.

The numbers by which a version learned belong to it: its manifest has them as ``options``, the days
that it scores are built with them, and a scorer refuses a day that was built with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import PURCHASE
from daybreak.models.base import Context, Options
from daybreak.models.options import Option, chosen
from daybreak.models.recommendations.request import MOST_LISTED

LISTED, EXCLUDED, HAS = "listed", "exclude_purchased", "has_weight"
"""Options of published lists, and names of the arrays of a day's context that keep them."""

PUBLISHED = {
    LISTED: Option(20, 1, MOST_LISTED, whole=True),
    EXCLUDED: Option(0, 0, 1, whole=True),
    HAS: Option(PURCHASE, 1e-6, PURCHASE),
}
LEARNED = {
    "short_half_life": Option(14.0, 1, 730),
    "long_half_life": Option(90.0, 1, 730),
    "taste_half_life": Option(60.0, 1, 730),
    "basket_half_life": Option(180.0, 1, 730),
    "window_days": Option(7, 1, 28, whole=True),
    "on_sale_days": Option(90, 7, 730, whole=True),
    "history_days": Option(730, 28, 3650, whole=True),
}
OPTIONS = {**PUBLISHED, **LEARNED}


@dataclass(frozen=True)
class Numbers:
    """By what a version learned. Half-lives are in days, of the weight of a user's events.

    ``short_half_life``, ``long_half_life``: in a user's record of an item. ``taste_half_life``,
    ``basket_half_life``: in what the neighbours of items are learned from. ``window_days``: lists
    predict that many days. ``on_sale_days``: an item without a buyer for so long is not
    recommended. ``history_days``: how far back events are read; a user is active who did
    anything within them.
    """

    short_half_life: float = 14.0
    long_half_life: float = 90.0
    taste_half_life: float = 60.0
    basket_half_life: float = 180.0
    window_days: int = 7
    on_sale_days: int = 90
    history_days: int = 730

    @classmethod
    def chosen(cls, options: Options) -> Numbers:
        """Those of ``options``, which may hold others of the model too. Raises what it raises."""
        taken = chosen(options, OPTIONS)
        return cls(**{name: taken[name] for name in LEARNED})

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Numbers:
        """Those that a version was trained with."""
        return cls(**manifest.get("options", {}))

    def to_context(self) -> dict[str, NDArray[Any]]:
        """What a day's context keeps of them, for ``differing``."""
        return {NUMBERS: np.array([getattr(self, name) for name in OF_A_DAY], np.float64)}

    def differing(self, context: Context) -> list[str]:
        """Names of the numbers that a day was built with otherwise."""
        held = context[NUMBERS].tolist()
        return [n for n, value in zip(OF_A_DAY, held, strict=True) if value != getattr(self, n)]

    def to_json(self) -> dict[str, float]:
        """For the manifest."""
        return asdict(self)


DEFAULT = Numbers()
NUMBERS = "numbers"
"""Array of a day's context with the values of ``OF_A_DAY``."""

OF_A_DAY = ("short_half_life", "long_half_life", "on_sale_days", "history_days")
"""Those that a snapshot is built with; training alone uses the others."""


def published(options: Options) -> dict[str, NDArray[Any]]:
    """What a day's context keeps of how its lists are published. Raises what ``chosen`` raises."""
    taken = chosen(options, OPTIONS)
    # float32, as the weights are that it is compared with.
    return {
        LISTED: np.array(taken[LISTED]),
        EXCLUDED: np.array(bool(taken[EXCLUDED])),
        HAS: np.array(taken[HAS], np.float32),
    }
