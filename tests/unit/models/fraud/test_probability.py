"""Calibration and thresholds: monotone, the same bits however many, and true on average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from daybreak.models.fraud.learn.train import calibrated
from daybreak.models.fraud.probability import Calibration, Thresholds

margins = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=200)


@given(margins, st.data())
def test_probabilities_rise_with_margins(given_margins: list[float], data: st.DataObject) -> None:
    learned = np.array(given_margins, np.float32)
    fraud = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(learned), max_size=len(learned)))
    )
    found = calibrated(learned, fraud)
    asked = np.sort(np.concatenate([learned, np.array([-1e30, -3, 0, 3, 1e30], np.float32)]))

    probabilities = found.of(asked)

    assert probabilities.dtype == np.float32
    assert (np.diff(probabilities) >= 0).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    alone = np.concatenate([found.of(asked[n : n + 1]) for n in range(len(asked))])
    np.testing.assert_array_equal(alone.view(np.uint32), probabilities.view(np.uint32))
    again = Calibration.from_bytes(found.to_bytes()).of(asked)
    np.testing.assert_array_equal(again.view(np.uint32), probabilities.view(np.uint32))


def test_probabilities_are_right_on_average() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(-3, 1.5, 100_000)
    fraud = rng.random(len(logits)) < expit(logits)
    found = calibrated((logits * 3 + 1).astype(np.float32), fraud)

    later = rng.normal(-3, 1.5, 100_000)
    probabilities = found.of((later * 3 + 1).astype(np.float32))
    for low, high in ((0, 0.02), (0.02, 0.1), (0.1, 0.5), (0.5, 1)):
        chosen = (expit(later) >= low) & (expit(later) < high)
        assert probabilities[chosen].mean() == pytest.approx(expit(later)[chosen].mean(), rel=0.1)
    assert len(np.unique(probabilities)) > 1000  # between the knots the order stays


def test_decisions_are_by_thresholds() -> None:
    bounds = Thresholds(review=0.1, block=0.5)
    probabilities = np.array([0, 0.0999, 0.1, 0.3, 0.5, 1], np.float32)
    assert bounds.of(probabilities).tolist() == [0, 0, 1, 1, 2, 2]
