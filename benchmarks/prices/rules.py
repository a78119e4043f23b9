"""Random rules and shops, solved, and held against an independent reading of the rules.

That reading is the one of the tests (``tests/support``), which shares no code with the model.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from daybreak.models.base import Progress
from daybreak.models.pricing.choice.rails import Rule
from daybreak.models.pricing.choice.solution import KEEP

SUPPORT = Path(__file__).parents[2] / "tests" / "support"
SAID_EVERY = 2_000


def measure(cases: int, progress: Progress, *, first: int = 10**6) -> dict[str, Any]:
    """``cases`` of them: broken rules, and prices that may not move without the right rule named.

    ``first``: the seed of the first one; the seeds of the tests are others nearly always.
    """
    if str(SUPPORT) not in sys.path:
        sys.path.append(str(SUPPORT))
    from price_checker import broken  # noqa: PLC0415
    from random_prices import random_shop  # noqa: PLC0415
    from solved_prices import final, misnamed, solved  # noqa: PLC0415

    count: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(cases):
        shop = random_shop(first + number)
        rails, solution = solved(shop)
        wrong = broken(shop.rules, shop.offers, final(shop, solution))
        unnamed = list(misnamed(shop, rails))
        count["prices"] += len(shop.offers)
        count["changed"] += int((solution.choice != KEEP).sum())
        count["infeasible"] += int((rails.kept == Rule.CONFLICT).sum())
        count["broken"] += len(wrong)
        count["misnamed"] += len(unnamed)
        faults += [f"seed {first + number}: {fault}" for fault in (*wrong, *unnamed)]
        if number % SAID_EVERY == 0:
            progress(f"random rules: {number:,} of {cases:,}")
    names = "prices", "changed", "infeasible", "broken", "misnamed"
    return {"cases": cases, **{name: count[name] for name in names}, "faults": faults[:10]}
