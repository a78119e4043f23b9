"""The demand curve of a price, on the views of who looks at proposals and who answers about them.

It is read by the service with its own rights, from the row that answers requests about the item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from daybreak.charts.figures import Chart
from daybreak.errors import DaybreakError
from daybreak.models.base import AnyModel
from daybreak.prices.figures import Fact, curve_charts, curve_facts
from daybreak.scoring.curves import ItemCurve
from daybreak.serving.page.asked import text_of
from daybreak.serving.page.reading import Row
from daybreak.serving.service import current_service

ANCHOR = "#curve"


@dataclass(frozen=True)
class ChosenCurve:
    """``found``: None where no item is named, or for the reason that ``problem`` gives."""

    store: str
    item: str
    found: ItemCurve | None = None
    problem: DaybreakError | None = None
    facts: Sequence[Fact] = field(default_factory=list)
    charts: Sequence[Chart] = field(default_factory=list)


def chosen_curve(
    model: AnyModel, generation_id: int, changes: Sequence[Row] = ()
) -> ChosenCurve | None:
    """Of the store and item that the address names, else of the first change; None for a model
    without curves. The caller has seen that this generation may be looked at."""
    if model.curve is None:
        return None
    store, item = text_of("store"), text_of("item")
    if not (store or item) and changes:
        store, item = changes[0]["store_id"], changes[0]["item_id"]
    if not (store and item):
        return ChosenCurve(store, item)
    try:
        found = current_service().inputs.curve(model, generation_id, store, item)
    except DaybreakError as error:
        return ChosenCurve(store, item, problem=error)
    facts, charts = curve_facts(found.curve), curve_charts(found.curve)
    return ChosenCurve(store, item, found, None, facts, charts)
