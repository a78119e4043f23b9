"""The pricing model: prices proposed by night, answered live, never outside the rules."""

from __future__ import annotations

from daybreak.models.base import Endpoint, Model
from daybreak.models.pricing.nightly import PricingNightly
from daybreak.models.pricing.request import PriceNotes, PriceRequest
from daybreak.models.pricing.scorer import PricingScorer
from daybreak.models.pricing.views import VIEWS

MODEL = Model(
    "pricing",
    Endpoint(
        PriceRequest,
        entity=lambda request: (request.store_id, request.item_id),
        notes=PriceNotes,
    ),
    scorer=PricingScorer,
    nightly=PricingNightly(),
    learning="daybreak.models.pricing.learn:LEARNING",
    views=VIEWS,
)
