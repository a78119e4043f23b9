"""The pricing model: prices proposed by night, answered live, never outside the rules."""

from __future__ import annotations

from daybreak.models.base import Endpoint, Example, Model
from daybreak.models.pricing.curve import curve_of
from daybreak.models.pricing.nightly import PricingNightly
from daybreak.models.pricing.request import PriceNotes, PriceRequest
from daybreak.models.pricing.scorer import PricingScorer
from daybreak.models.pricing.sections import SECTIONS
from daybreak.models.pricing.views import VIEWS

EXPECTED = {
    "store_id": "S002",
    "item_id": "I0005",
    "current_price": 573.0,
    "price": 630.0,
    "lowest_price": 460.0,
    "highest_price": 630.0,
    "current_units": 124.115974,
    "units": 109.266045,
    "units_p10": 63.385517,
    "units_p90": 155.82274,
    "current_margin": 30904.877,
    "margin": 33435.41,
    "elasticity": -1.3437225,
    "elasticity_low": -1.5784098,
    "elasticity_high": -1.109035,
    "gap": 0.0,
    "place": 18.0,
    "rule": "largest_change",
    "lowest_rule": "largest_change",
    "highest_rule": "largest_change",
    "stopped": "",
    "judged_by": "1111111",
}
NOTES = {
    "currency": "GBP",
    "decimals": 2,
    "valid_on": "2026-07-01",
    "valid_until": "2026-07-01T23:00:00+00:00",
    "stale": False,
}
TOO_LARGE = "It goes no further: the change would be too large."
LOWER = {
    "price": 620.0,
    "units": 111.6407,
    "units_p10": 64.76306,
    "units_p90": 159.2092,
    "margin": 33045.65,
}
EXAMPLES = {
    "The price of an item in a store": Example(
        {"store_id": "S002", "item_id": "I0005"},
        [EXPECTED],
        "published",
        NOTES | {"reasons": [TOO_LARGE]},
    ),
    "What if a competitor asked less": Example(
        {"store_id": "S002", "item_id": "I0005", "competitor_price": 540},
        [EXPECTED | LOWER],
        "what_if",
        NOTES
        | {
            "valid_until": None,
            "reasons": [
                "What the request says moves it down.",
                "It is a what-if: nobody else gets this price.",
            ],
        },
    ),
}
"""On the data of the demo."""

MODEL = Model(
    "pricing",
    Endpoint(
        PriceRequest,
        entity=lambda request: (request.store_id, request.item_id),
        notes=PriceNotes,
        examples=EXAMPLES,
        request_of=lambda row: {name: row[name] for name in ("store_id", "item_id")},
    ),
    scorer=PricingScorer,
    nightly=PricingNightly(),
    learning="daybreak.models.pricing.learn:LEARNING",
    curve=curve_of,
    views=VIEWS,
    sections=SECTIONS,
)
