"""The fraud model as the platform sees it. An entity is an event of a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daybreak.models.base import Endpoint, Example, Model
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.nightly import FraudNightly
from daybreak.models.fraud.reasons import Notes
from daybreak.models.fraud.scorer import FraudScorer
from daybreak.models.fraud.sections import SECTIONS
from daybreak.models.fraud.views import VIEWS
from daybreak.signals.incoming import DecisionForm


def _features(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    return Layout.from_manifest(manifest).features


EXAMPLES = {
    "A payment, recorded": Example(
        {
            "event_id": "tx-82",
            "event_at": "2026-03-01T09:31:00Z",
            "keys": {"card": "c-17", "terminal": "t-9"},
            "amounts": {"amount": 812.0},
            "record": True,
        },
        [{"key": "c-17", "event_id": "tx-82", "probability": 0.318204, "decision": "review"}],
        "live",
        {
            "reasons": [
                {
                    "feature": "amount_over_card_mean_amount_30d",
                    "value": 21.31,
                    "adds": 2.113042,
                    "says": "amount 21.3 times that of this card within 30 days",
                }
            ]
        },
    )
}

MODEL = Model(
    "fraud",
    Endpoint(DecisionForm, notes=Notes, examples=EXAMPLES),
    scorer=FraudScorer,
    features=_features,
    nightly=FraudNightly(),
    decides=True,
    learning="daybreak.models.fraud.learn.learning:LEARNING",
    views=VIEWS,
    sections=SECTIONS,
)
