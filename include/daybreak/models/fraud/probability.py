"""From a margin to a probability, and from that to a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from daybreak.models import arrays
from daybreak.types import Float32

Decision = Literal["allow", "review", "block"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
FILE = "probability.npz"


@dataclass(frozen=True)
class Calibration:
    """``margins`` (s,): ascending knots; ``probabilities`` (s,): of these, ascending, float32 both.

    Between two knots the probability rises in a straight line, so that the order of margins stays;
    beyond them it is that of the nearest.
    """

    margins: Float32
    probabilities: Float32

    def of(self, margins: Float32) -> Float32:
        """Probabilities of margins (m,): comparisons, differences, a product and a sum, float32."""
        if len(self.margins) == 1:
            return np.full(len(margins), self.probabilities[0])
        within = np.minimum(np.maximum(margins, self.margins[0]), self.margins[-1])
        last = len(self.margins) - 2
        left = np.clip(np.searchsorted(self.margins, within, "right") - 1, 0, last)
        low, high = self.probabilities[left], self.probabilities[left + 1]
        part = (within - self.margins[left]) / (self.margins[left + 1] - self.margins[left])
        found: Float32 = np.minimum(low + (high - low) * part, high)
        return found

    def to_bytes(self) -> bytes:
        """As a file of the version."""
        return arrays.pack({"margins": self.margins, "probabilities": self.probabilities})

    @classmethod
    def from_bytes(cls, content: bytes) -> Calibration:
        """The inverse."""
        found = arrays.unpack(content)
        return cls(found["margins"], found["probabilities"])


@dataclass(frozen=True)
class Thresholds:
    """Probabilities from which on a transaction is reviewed, and blocked."""

    review: float
    block: float

    def of(self, probabilities: Float32) -> NDArray[np.int64]:
        """Which of ``DECISIONS``, (m,)."""
        bounds = np.array([self.review, self.block], np.float32)
        return np.searchsorted(bounds, probabilities, "right")
