"""Rows made in shards have the bits of those of the whole panel, wherever it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.models.sales_forecast.features import recent
from daybreak.models.sales_forecast.features.shards import part_of, rows_of, share
from daybreak.models.sales_forecast.features.snapshot import snapshot
from random_panels import random_panel


@pytest.mark.parametrize("shards", [1, 4, 13])
@pytest.mark.parametrize("panels_a_shard", [1, 2])
@pytest.mark.parametrize("at_once", [5, 4096])
@pytest.mark.parametrize("shape", [{"ahead": 1}, {"ahead": 42}, {"ahead": 13, "step": 7}])
def test_the_cut_does_not_show(
    monkeypatch: pytest.MonkeyPatch,
    shards: int,
    panels_a_shard: int,
    at_once: int,
    shape: dict[str, int],
) -> None:
    """``at_once``: by how many series the sums of a year are added, whatever a shard has."""
    monkeypatch.setattr(recent, "SERIES_PER_CHUNK", at_once)
    panel = random_panel(3, days=450, stores=8, **shape)
    cut = [
        [panel.of_series(some) for some in np.array_split(rows, panels_a_shard)]
        for rows in np.array_split(np.arange(len(panel)), shards)
    ]
    parts = [part_of(panels) for panels in cut]
    rows = [rows_of({**part, **more}) for part, more in zip(parts, share(parts), strict=True)]
    assert np.concatenate(rows).tobytes() == snapshot(panel).tobytes()
