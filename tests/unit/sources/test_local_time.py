"""Local times and moments, held against Python's own zones, and alone against in company."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.section import Source
from daybreak.sources.parsing.convert import convert
from daybreak.sources.parsing.local_time import to_local, to_utc

ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"]
)
NAIVE = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 - local times


def microseconds(moments: list[datetime]) -> np.ndarray:
    return np.array(moments, "M8[us]").astype(np.int64)


@pytest.mark.slow
@settings(deadline=None)  # the first look at a zone's years takes its time
@given(ZONES, st.lists(NAIVE, max_size=5))
@example("Pacific/Apia", [datetime(2011, 12, 30, 12)])  # noqa: DTZ001 - a day that never was
@example("Europe/Berlin", [datetime(2050, 7, 1), datetime(1900, 1, 1)])  # noqa: DTZ001
def test_as_python_reads_them(name: str, moments: list[datetime]) -> None:
    zone = ZoneInfo(name)
    utc = [m.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for m in moments]
    local = [m.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for m in moments]

    assert to_utc(microseconds(moments), zone).tolist() == microseconds(utc).tolist()
    assert to_local(microseconds(moments), zone).tolist() == microseconds(local).tolist()


CHANGES = [
    # Berlin puts its clock forward by an hour at 02:00 and back at 03:00.
    ("Europe/Berlin", "2024-03-31 01:59:59", "2024-03-31T00:59:59Z"),
    ("Europe/Berlin", "2024-03-31 02:30:00", "2024-03-31T01:30:00Z"),
    ("Europe/Berlin", "2024-03-31 03:00:00", "2024-03-31T01:00:00Z"),
    ("Europe/Berlin", "2024-10-27 02:30:00", "2024-10-27T00:30:00Z"),
    ("Europe/Berlin", "2024-10-27 03:00:00", "2024-10-27T02:00:00Z"),
    ("Europe/Berlin", "2040-03-25 02:30:00", "2040-03-25T01:30:00Z"),
    # Lord Howe puts it forward by half an hour in October, and back in April, both at 02:00.
    ("Australia/Lord_Howe", "2024-10-06 02:10:00", "2024-10-05T15:40:00Z"),
    ("Australia/Lord_Howe", "2024-10-06 02:30:00", "2024-10-05T15:30:00Z"),
    ("Australia/Lord_Howe", "2024-04-07 01:45:00", "2024-04-06T14:45:00Z"),
    ("Australia/Lord_Howe", "2024-04-07 02:00:00", "2024-04-06T15:30:00Z"),
]
COMPANY = ["", "2024-06-01T12:00:00+02:00", "2024-06-01", "nonsense", "2024-06-01 12:00:00.5"]


@pytest.mark.parametrize(("zone", "local", "moment"), CHANGES)
def test_a_moment_does_not_depend_on_the_rest_of_the_file(
    zone: str, local: str, moment: str
) -> None:
    due = datetime.fromisoformat(moment)
    naive = datetime.fromisoformat(local)
    carried = [
        *([local, *rest] for rest in ([], COMPANY[:1], COMPANY[1:2], COMPANY[2:3], COMPANY)),
        [naive],
        pa.array([naive], pa.timestamp("ns")),
        [due],
        pa.array([due], pa.timestamp("us", tz="America/New_York")),
    ]

    for values in carried:
        assert read(values, Kind.INSTANT, zone)[0] == due
    assert (
        read(
            [f"{local[8:10]}.{local[5:7]}.{local[:4]}{local[10:]}"],
            Kind.INSTANT,
            zone,
            "%d.%m.%Y %H:%M:%S",
        )[0]
        == due
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_the_date_of_a_moment_is_the_local_one(zone: str) -> None:
    midnight = datetime(2040, 7, 1, tzinfo=ZoneInfo(zone))
    before, after = midnight - timedelta(seconds=1), midnight
    texts = [moment.astimezone(UTC).isoformat() for moment in (before, after)]
    stamps = pa.array([before, after], pa.timestamp("us", tz="UTC"))

    for values in (texts, stamps):
        assert read(values, Kind.DATE, zone) == [before.date(), after.date()]


def read(values: Any, kind: Kind, zone: str, form: str | None = None) -> list[Any]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    source = Source(column="x", format=form)
    return convert(array, CanonicalColumn("x", kind), source, ZoneInfo(zone)).values.to_pylist()
