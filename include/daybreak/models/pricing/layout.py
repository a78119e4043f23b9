"""What the snapshot of a price holds, by name and in order."""

from __future__ import annotations

DAYS = ("days_1", "days_2", "days_3", "days_4")
"""Which days a price is judged by, as `judged` packs them."""
VALUES = (
    "cost",
    "elasticity",
    "elasticity_low",
    "elasticity_high",
    "lowest",
    "highest",
    "low_rule",
    "high_rule",
    "rule",
    "conflict_1",
    "conflict_2",
    "chosen",
    "place",
    "grouped",
    "expected",
    "prior",
    "promised",
    "stock",
    "gap",
    "stop",
    *DAYS,
)
"""Money in minor units, below 2^24 and so exact as float32; rules by number (`rails.Rule`);
``chosen``: which of the records; ``place``: as in the table of scores; ``grouped``:
1 for a price that moves with others or has an order among them. ``expected`` to ``stock`` are of
the first day of the price (`live.usual.first_day`). ``gap`` and ``stop`` of the programme that it
was in, 0 where it was decided exactly."""
RECORDS = ("price", "units", "units_p10", "units_p90")
"""The current price first, then each point of the ladder that the rules leave."""

CURRENCY, DECIMALS, OBJECTIVE = "currency", "decimals", "objective"
BELOW_ABOVE = "corridor"
RULES, SOLVED = "rules", "solved"
TIMEZONE, PROFILE_STORES, PROFILE = "timezone", "profile_stores", "profile"
CONTEXT = (
    *(CURRENCY, DECIMALS, OBJECTIVE, BELOW_ABOVE, RULES, SOLVED),
    *(TIMEZONE, PROFILE_STORES, PROFILE),
)
"""What all prices of a night have in common. ``rules``: canonical JSON. ``solved``: how well, JSON:
by status how many programmes, by what stopped them early how many, and the largest gap.
``timezone``: of the shop's days. ``profile``: `live.profile.Profile`, empty where no stream says
when units come."""
