"""Where the pricing model keeps its snapshots and the prices that it proposes."""

from __future__ import annotations

from sqlalchemy import REAL, Column, Text

from daybreak.warehouse.model_tables import score_table, snapshot_table

KEYS = ("store_id", "item_id")

snapshots = snapshot_table("pricing", KEYS)

NUMBERS = {
    "current_price": "in force, in minor units of the currency (cents)",
    "price": "proposed, in minor units; the current one where nothing changes",
    "lowest_price": "that the rules admit, in minor units",
    "highest_price": "that the rules admit, in minor units",
    "current_units": "expected at the current price, in the days that a price is judged by",
    "units": "expected at the proposed price",
    "units_p10": "at the proposed price: all days at their P10",
    "units_p90": "at the proposed price: all days at their P90",
    "current_margin": "expected at the current price, in minor units; revenue where the cost is "
    "not known",
    "margin": "expected at the proposed price, in minor units; revenue where the cost is not known",
    "elasticity": "change of units in per cent for a price one per cent higher",
    "elasticity_low": "a tenth of what it may be is below",
    "elasticity_high": "a tenth of what it may be is above",
    "gap": "of the most that the prices solved together could gain, the share that was not found; "
    "0 where nothing better exists",
    "place": "1 is the change that gains most; the members of a group, and their number, count as "
    "one; 0 where nothing changes",
}
TEXTS = {
    "rule": "that keeps the price from going further, or lets it stay; two that leave it nothing "
    "as «one and other»; empty: none does",
    "lowest_rule": "that sets the lowest price",
    "highest_rule": "that sets the highest price",
    "stopped": "what ended the search before it was sure of the best: nodes, cells, or seconds, "
    "where another run may find other prices; empty: nothing did",
    "judged_by": "a sign for each day after the business date, or week: 1 where the price is "
    "judged by it",
}

scores = score_table(
    "pricing",
    tuple(Column(name, Text, primary_key=True) for name in KEYS),
    (
        *(Column(name, REAL, nullable=False, comment=said) for name, said in NUMBERS.items()),
        *(Column(name, Text, nullable=False, comment=said) for name, said in TEXTS.items()),
    ),
)
