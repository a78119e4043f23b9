"""Golden rows: features, and the margins that a version gave for them when it was registered.

They are a file of the version. Whoever loads it finds out, before the first request, whether this
machine and its libraries give the bits that the version was judged by.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from daybreak.errors import GoldenRowsDiffer
from daybreak.models import arrays
from daybreak.registry.artifact import Artifact
from daybreak.types import Float32

if TYPE_CHECKING:
    from daybreak.scoring.engines.engine import Engine

FILE = "golden.npz"
EXAMPLES = 64
"""Of the rows that it learned from."""
PROBES = 768
"""At thresholds, just below and just above, those of a feature as often as one another."""
_LIMITS = np.finfo(np.float32)
EXTREMES = (np.nan, 0.0, _LIMITS.max, _LIMITS.min, _LIMITS.smallest_subnormal)


def golden_rows(artifact: Artifact, examples: Float32) -> bytes:
    """The file for a version of trees; always the same for the same trees and examples.

    ``examples``: float32 (t, F), some of the rows that it learned from. Beside them: nothing but
    missing values, the largest and the least numbers there are, and what ``probe_rows`` makes.
    Raises ``InvalidBooster``.
    """
    # Only who registers trees makes them.
    from daybreak.registry.booster import open_booster  # noqa: PLC0415
    from daybreak.scoring.engines.predictor import Predictor  # noqa: PLC0415
    from daybreak.scoring.engines.twin import (  # noqa: PLC0415
        NotCompilableError,
        probe_rows,
        read_forest,
    )

    booster = open_booster(artifact)
    every = np.linspace(0, len(examples) - 1, min(len(examples), EXAMPLES)).astype(np.int64)
    rows = [examples[every].reshape(len(every), booster.num_features())]
    rows += [np.full((1, booster.num_features()), value, np.float32) for value in EXTREMES]
    with suppress(NotCompilableError):
        rows.append(probe_rows(read_forest(booster), PROBES))
    whole = np.concatenate(rows)
    return arrays.pack({"rows": whole, "margins": Predictor(artifact, threads=1).batch(whole)})


def rows_of(artifact: Artifact) -> Float32 | None:
    """Float32 (n, F); None of a version that was registered without."""
    content = artifact.files.get(FILE)
    return None if content is None else arrays.unpack(content)["rows"]


def check_golden_rows(engine: Engine) -> None:
    """Raises ``GoldenRowsDiffer`` unless the booster gives the same bits.

    What answers single rows does then, too: a twin is used only where it is proven on these rows.
    """
    rows = rows_of(engine.artifact)
    if rows is None:
        return
    expected = arrays.unpack(engine.artifact.files[FILE])["margins"]
    wrong = engine.batch(rows).view(np.uint32) != expected.view(np.uint32)
    if count := int(wrong.any(axis=1).sum()):
        model, version = engine.artifact.model, engine.artifact.version
        raise GoldenRowsDiffer(
            f"{model} {version} gives other margins for {count} of its {len(rows)} golden rows "
            "than when it was registered.",
            remedy="Compare the libraries with those in its manifest, or train again here.",
            model=model,
            version=version,
        )
