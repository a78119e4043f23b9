"""The pricing model: prices proposed by night, answered live, never outside the rules."""

from __future__ import annotations

from daybreak.models.base import Endpoint, Example, Model
from daybreak.models.pricing.nightly import PricingNightly
from daybreak.models.pricing.request import PriceNotes, PriceRequest
from daybreak.models.pricing.scorer import PricingScorer
from daybreak.models.pricing.views import VIEWS

EXPECTED = {
    "store_id": "S002",
    "item_id": "I0052",
    "current_price": 944.0,
    "price": 1035.0,
    "lowest_price": 760.0,
    "highest_price": 1035.0,
    "current_units": 109.46657,
    "units": 94.75106,
    "units_p10": 57.99324,
    "units_p90": 125.50776,
    "current_margin": 24848.91,
    "margin": 30130.838,
    "elasticity": -1.5686762,
    "elasticity_low": -1.795813,
    "elasticity_high": -1.3415394,
    "place": 1.0,
    "rule": "largest_change",
    "lowest_rule": "largest_change",
    "highest_rule": "largest_change",
}
NOTES = {"currency": "GBP", "decimals": 2, "valid_on": "2026-07-01"}
TOO_LARGE = "It goes no further: the change would be too large."
LOWER = {
    "price": 1010.0,
    "units": 98.45592,
    "units_p10": 60.26083,
    "units_p90": 130.41522,
    "margin": 28847.584,
}
EXAMPLES = {
    "The price of an item in a store": Example(
        {"store_id": "S002", "item_id": "I0052"},
        [EXPECTED],
        "published",
        NOTES | {"reasons": [TOO_LARGE]},
    ),
    "Beside what a competitor asks now": Example(
        {"store_id": "S002", "item_id": "I0052", "competitor_price": 880},
        [EXPECTED | LOWER],
        "live",
        NOTES | {"reasons": ["What the request says moves it down."]},
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
    ),
    scorer=PricingScorer,
    nightly=PricingNightly(),
    learning="daybreak.models.pricing.learn:LEARNING",
    views=VIEWS,
)
