"""What a snapshot may not hold is refused with the key of the first row at fault."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.models import get_model
from daybreak.models.base import SnapshotRows
from daybreak.scoring.snapshot_bytes import Checked, check_context

MODEL = get_model("recommendations")
USERS = np.array(["ann", "ben", "cem"], object)


def rows(offsets: tuple[int, ...] = (0, 2, 2, 5)) -> SnapshotRows:
    """Three users: two records, none, and three."""
    values = np.zeros((3, len(MODEL.night.layout())), np.float32)
    records = np.zeros((5, len(MODEL.night.record_layout())), np.float32)
    return SnapshotRows((USERS,), values, records, np.array(offsets, np.int64))


def test_infinity_in_a_value_names_column_and_key() -> None:
    faulty = rows()
    faulty.values[1:, 0] = np.inf
    message = rf"infinite values in {MODEL.night.layout()[0]}, first in the row of \('ben',\)"
    with pytest.raises(ValueError, match=message):
        Checked(MODEL.night).add(faulty)


@pytest.mark.parametrize(("record", "user"), [(0, "ann"), (1, "ann"), (2, "cem"), (4, "cem")])
def test_infinity_in_a_record_names_whose_it_is(record: int, user: str) -> None:
    faulty = rows()
    faulty.records[record, -1] = -np.inf
    message = (
        rf"infinite values in {MODEL.night.record_layout()[-1]}, first in the row of \('{user}',\)"
    )
    with pytest.raises(ValueError, match=message):
        Checked(MODEL.night).add(faulty)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ((0, 3, 2, 5), r"the offsets of \('ben',\) end before they begin"),
        ((0, 2, 5), "do not cut 5 records"),
        ((0, 2, 2, 4), "do not cut 5 records"),
        ((1, 2, 2, 5), "do not cut 5 records"),
    ],
)
def test_offsets_that_do_not_cut_the_records(offsets: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Checked(MODEL.night).add(rows(offsets))


def test_a_context_is_finite_but_for_what_is_missing() -> None:
    context = {
        "names": np.array(["a"]),
        "rank": np.array([np.nan, 1], np.float32),
        "price": np.array([1, np.inf], np.float32),
    }
    with pytest.raises(ValueError, match="infinite values in price of the context"):
        check_context(context)
    context["price"][1] = np.nan
    check_context(context)
