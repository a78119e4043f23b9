"""What a manifest says of the facts that a version was made from, with trees or without."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import numpy as np

from daybreak.facts.events import Events
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.candidates import SOURCES, TAKEN
from daybreak.models.recommendations.features.catalogue import ITEM_STATISTICS
from daybreak.models.recommendations.features.histories import LAYOUT, RECORD
from daybreak.models.recommendations.numbers import Numbers


def described(events: Events, business_date: date, numbers: Numbers) -> dict[str, Any]:
    """Features, layout, options, and which events; all but what was learned and how."""
    layout = "\n".join((*LAYOUT, *RECORD, *ITEM_STATISTICS))
    return {
        "features": [{"name": name, "dtype": "float32"} for name in FEATURES],
        "layout": {
            "values": list(LAYOUT),
            "record": list(RECORD),
            "item": list(ITEM_STATISTICS),
            "sha256": hashlib.sha256(layout.encode()).hexdigest(),
        },
        "options": numbers.to_json(),
        "outputs": ["score"],
        "candidates": {name: TAKEN[name] for name in SOURCES},
        "trained_through": business_date.isoformat(),
        "data_sha256": events_sha256(events),
    }


def events_sha256(events: Events) -> str:
    """Hash of everything that training can see."""
    digest = hashlib.sha256()
    for names in (events.user_ids, events.item_ids, events.categories):
        digest.update("\x1f".join(names.tolist()).encode() + b"\x1e")
    for name in ("user", "item", "day", "at", "basket", "weight", "quantity", "price"):
        digest.update(np.ascontiguousarray(getattr(events, name)).tobytes())
    return digest.hexdigest()
