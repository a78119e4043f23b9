"""How much of a formula is mixed into what the trees say, by days that they have not seen.

Trees that were grown on few series, or after a change of level, are worse than the last weeks
themselves; on much data they are far better. The share is learned, for each output by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.sales_forecast.formulas import USUAL, blended
from daybreak.models.sales_forecast.learn.booster import QUANTILES
from daybreak.models.sales_forecast.learn.calibrate import pinball_of_each
from daybreak.models.sales_forecast.learn.sampling import Sample
from daybreak.models.sales_forecast.link import SCORES
from daybreak.types import Float32

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
CLEARLY = 2.0
"""Standard errors that a share has to save: the usual 95 %."""


def blend_of(margins: Float32, held_out: Sample) -> dict[str, Any]:
    """The manifest's ``blend``: the shares of the trees in margins (m, 4) that lose least.

    Another share than 1 has to save clearly more than nothing, where a day is one observation: four
    weeks are noisy, and of equals the trees, which know plans, are preferred.
    """
    alone, *mixed = (_losses(margins, held_out, share) for share in SHARES)
    _, day = np.unique(held_out.origin + held_out.horizon, return_inverse=True)
    shares = []
    for output in range(len(SCORES)):
        saved = [alone[:, output] - loss[:, output] for loss in mixed]
        best = int(np.argmax([one.sum() for one in saved]))
        clear = saved[best].sum() > CLEARLY * _standard_error(saved[best], day)
        shares.append(SHARES[1 + best] if clear else 1.0)
    return {"baseline": USUAL, "trees": shares}


def _standard_error(values: NDArray[np.float64], day: NDArray[np.intp]) -> float:
    """Of the sum of values (m,) of which those of one day are one observation."""
    by_day = np.bincount(day, values)
    return float(by_day.std(ddof=1) * np.sqrt(len(by_day))) if len(by_day) > 1 else np.inf


def _losses(margins: Float32, held_out: Sample, share: float) -> NDArray[np.float64]:
    """Loss of each output, float64 (m, 4): pinball loss of a quantile in units, and of the mean
    its squared error over the scale, by which a large series would else be all that counts."""
    shares = {"baseline": USUAL, "trees": [share] * margins.shape[1]}
    mixed = blended(margins, held_out.features, {"blend": shares})
    units = np.maximum(mixed * held_out.scale[:, None], np.float32(0)).astype(np.float64)
    actual = held_out.units.astype(np.float64)[:, None]
    quantiles, mean = units[:, : len(QUANTILES)], units[:, len(QUANTILES) :]
    error = np.square(actual - mean) / held_out.scale[:, None]
    return np.concatenate([pinball_of_each(actual, quantiles, np.array(QUANTILES)), error], axis=1)
