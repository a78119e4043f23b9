"""The facet ``Deciding``: what a version looks at, and the reasons of a decision in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from daybreak.models.base import Deciding, LooksAt
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.words import said_of
from daybreak.registry.artifact import Artifact
from daybreak.types import Float32

REASONS = 3


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


class FraudDeciding(Deciding):
    """Decisions about payments, log-ins, whatever the stream holds."""

    def looks_at(self, artifact: Artifact) -> LooksAt:
        """As the manifest says. Raises ``ArtifactAltered``."""
        layout = Layout.from_manifest(artifact.manifest)
        return LooksAt(layout.stream, layout.signals)

    def notes(self, artifact: Artifact, features: Float32, added: Float32) -> list[dict[str, Any]]:
        """The strongest reasons, the strongest first."""
        layout = Layout.from_manifest(artifact.manifest)
        words = said_of(layout)
        order = np.argsort(-np.abs(added[:, :-1]), axis=1, kind="stable")[:, :REASONS]
        found = []
        for values, adds, places in zip(features, added, order, strict=True):
            reasons = [
                {
                    "feature": layout.features[place],
                    "value": None if np.isnan(values[place]) else float(str(values[place])),
                    "adds": float(str(adds[place])),
                    "says": words[place](float(values[place])),
                }
                for place in places.tolist()
                if adds[place] != 0
            ]
            found.append({"reasons": reasons})
        return found
