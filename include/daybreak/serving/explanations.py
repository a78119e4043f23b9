"""Why a score is what it is: what each feature added to the margins of its row."""

from __future__ import annotations

from typing import Any

import numpy as np

from daybreak.scoring.engines.engine import Engine, feature_names
from daybreak.serving.http.encoding import json_values
from daybreak.types import Float32


def explanations(engine: Engine, features: Float32) -> list[dict[str, Any]]:
    """One for each row of ``features``, float32 (m, F), as JSON.

    ``outputs``: names of the K margins. ``base`` and ``margin``: of each of them; a margin is its
    base and the contributions of all features together, but for rounding. ``features``: those that
    add something, the most telling first, with their value (None: missing) and what they add to
    each output. A version without trees has no margins.
    """
    manifest = engine.artifact.manifest
    names = feature_names(manifest)
    added, margins = engine.contributions(features), engine.single(features)
    numbered = [f"margin_{number}" for number in range(1, margins.shape[1] + 1)]
    outputs = manifest.get("outputs", numbered) if numbered else []
    return [
        {
            "outputs": outputs,
            "base": json_values(added[row, :, -1]),
            "margin": json_values(margins[row]),
            "features": [
                {
                    "name": names[place],
                    "value": None if np.isnan(values[place]) else float(str(values[place])),
                    "adds": json_values(added[row, :, place]),
                }
                for place in _telling(added[row, :, :-1])
            ],
        }
        for row, values in enumerate(features)
    ]


def _telling(added: Float32) -> list[int]:
    """Places of features that add anything to a row, the one that adds most first."""
    most = np.abs(added).max(axis=0, initial=0)
    order = np.argsort(-most, kind="stable")
    return [int(place) for place in order if most[place] > 0]
