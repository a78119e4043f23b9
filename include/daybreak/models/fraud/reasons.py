"""The strongest reasons of a decision, in words and numbers.

By the paths of the trees, which takes microseconds; ``?explain=true`` says what TreeSHAP says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.words import said_of
from daybreak.types import Float32

MOST = 3


class Reason(BaseModel):
    """What one feature added to the margin of a decision."""

    model_config = ConfigDict(extra="forbid")

    feature: str
    value: float | None = Field(description="null: missing.")
    adds: float = Field(description="To the margin; above 0 it speaks for fraud.")
    says: str = Field(description="The same in words.")


class Notes(BaseModel):
    """What a decision says beside itself."""

    model_config = ConfigDict(extra="forbid")

    reasons: list[Reason] = Field(
        description="The features that added most to the margin, or took most from it."
    )


def reasons_of(layout: Layout, features: Float32, added: Float32) -> list[list[dict[str, Any]]]:
    """Of each row, the strongest first. ``features``: (m, F); ``added``: (m, F + 1)."""
    words = said_of(layout)
    order = np.argsort(-np.abs(added[:, :-1]), axis=1, kind="stable")[:, :MOST]
    return [
        [
            {
                "feature": layout.features[place],
                "value": None if np.isnan(values[place]) else values[place],
                "adds": adds[place],
                "says": words[place](float(values[place])),
            }
            for place in places
            if adds[place] != 0
        ]
        for values, adds, places in zip(features, added, order.tolist(), strict=True)
    ]
