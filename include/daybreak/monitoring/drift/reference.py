"""What a version was trained on: bins by the quantiles of its training, and how many values each
had. It stands in the manifest under ``drift``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from daybreak.histogram import Bins, Histogram, Name, bins_of, values_of
from daybreak.monitoring.drift.distances import Counts

MANIFEST = "drift"


@dataclass(frozen=True)
class Binned:
    """Bins, and how many values of the training each has, (b,)."""

    bins: Bins
    counts: Counts

    @classmethod
    def of(cls, histogram: Histogram) -> Binned:
        """Bins of as many values each."""
        bins = bins_of(histogram)
        return cls(bins, bins.counts(histogram))

    def outside(self, histogram: Histogram) -> float:
        """The share of values below all, above all, or missing where none was."""
        return self.outside_of(self.bins.counts(histogram))

    def outside_of(self, counts: Counts) -> float:
        """The same of values by their bins, (b,)."""
        ends = counts[[0, 1, -1]][self.counts[[0, 1, -1]] == 0]
        return float(ends.sum() / max(counts.sum(), 1))

    def is_far_outside(self, histogram: Histogram) -> bool:
        """Whether all values of a histogram, none of which is missing, are further from those of
        the training than these are from one another."""
        if len(self.bins.edges) < 2:  # all were missing
            return True
        least, greatest = values_of(self.bins.edges[[0, -1]]).tolist()
        found, wide = values_of(histogram.keys), greatest - least
        return bool((found < least - wide).all() or (found > greatest + wide).all())


def to_manifest(histograms: Mapping[Name, Histogram]) -> list[dict[str, Any]]:
    """As JSON: of each name its ``edges`` (the greatest value of each bin, but for the last, which
    has none) and ``counts``, the missing ones first."""
    return [
        {
            "kind": name.kind,
            "name": name.name,
            "edges": binned.bins.to_values(),
            "counts": binned.counts.tolist(),
        }
        for name, binned in ((name, Binned.of(found)) for name, found in histograms.items())
    ]


def from_manifest(manifest: Mapping[str, Any]) -> dict[Name, Binned]:
    """What ``to_manifest`` wrote; nothing of a version that has none."""
    return {
        Name(one["kind"], one["name"]): Binned(
            Bins.from_values(one["edges"]), np.array(one["counts"], np.int64)
        )
        for one in manifest.get(MANIFEST, ())
    }
