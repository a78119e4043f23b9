"""Generated payments: the same every time, and as much fraud as their truth says."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from daybreak.errors import DatasetError
from daybreak.sources.reading.generators import open_generator
from daybreak.sources.synthetic.payments import (
    CHANCE,
    KINDS,
    SCHEMAS,
    PaymentOptions,
    Payments,
    payment_options,
)

START = date(2026, 3, 1)
FEW = PaymentOptions(cards=300, terminals=60, start=START, end=date(2026, 4, 9))


def table(payments: Payments, section: str) -> pa.Table:
    return pa.Table.from_batches(payments.stream(section), SCHEMAS[section])


@pytest.mark.parametrize("section", ["streams", "labels"])
def test_a_later_end_only_adds_days(section: str) -> None:
    short, long = (
        table(Payments(FEW.model_copy(update={"end": date(2026, 3, end)})), section)
        for end in (10, 20)
    )
    assert long.slice(0, len(short)).equals(short)
    assert len(long) > len(short)


@pytest.mark.slow
def test_another_seed_makes_other_payments() -> None:
    other = Payments(FEW.model_copy(update={"seed": 8}))
    assert not table(other, "streams").equals(table(Payments(FEW), "streams"))


def test_rows_are_events_of_which_some_come_twice_or_late() -> None:
    events = table(Payments(FEW), "streams").to_pandas()
    assert events.event_id.duplicated().sum() > 0
    distinct = events.drop_duplicates()
    assert distinct.event_id.is_unique
    assert (distinct.known_at >= distinct.event_at).all()
    assert 0 < (distinct.known_at > distinct.event_at).mean() < 0.03
    assert (distinct.amount > 0).all()
    assert set(distinct.channel) == {"web", "chip"}


@pytest.mark.slow
def test_labels_are_of_frauds_and_come_later() -> None:
    payments = Payments(FEW)
    events = table(payments, "streams").to_pandas().drop_duplicates().set_index("event_id")
    labels = table(payments, "labels").to_pandas().set_index("event_id")
    assert labels.index.is_unique
    delay = labels.known_at - events.event_at[labels.index]
    assert delay.min() >= timedelta(hours=12)
    frauds = {
        name
        for n in range(FEW.days)
        for name, fraud in zip(
            *(payments.chances(START + timedelta(n))[k] for k in (0, 3)), strict=True
        )
        if fraud
    }
    assert set(labels.index) == frauds


def test_the_events_of_a_day_are_those_of_the_table() -> None:
    payments = Payments(FEW)
    day = START + timedelta(days=3)
    in_table = table(payments, "streams").to_pandas().drop_duplicates()
    of_day = in_table[in_table.event_id.str.startswith("p0003-")]
    assert [one["event_id"] for one in payments.events(day)] == list(of_day.event_id)
    assert payments.events(day)[0]["amount"] == of_day.amount.iloc[0]


@pytest.mark.slow
def test_fraud_is_as_frequent_as_its_chance() -> None:
    payments = Payments(FEW.model_copy(update={"cards": 3000, "end": date(2026, 5, 30)}))
    there, frauds = Counter[int](), Counter[int]()
    for n in range(30, 90):
        _, chance, kind, fraud = payments.chances(START + timedelta(n))
        assert np.array_equal(chance, np.array([CHANCE[name] for name in KINDS])[kind])
        there.update(kind.tolist())
        frauds.update(kind[fraud].tolist())
    for number, name in enumerate(KINDS):
        n, p = there[number], CHANCE[name]
        assert n > 50
        assert abs(frauds[number] - n * p) < 4 * np.sqrt(n * p * (1 - p)), name


def test_wrong_options_are_named() -> None:
    with pytest.raises(DatasetError, match="options of the payments are wrong: cards"):
        payment_options({"cards": 0})
    with pytest.raises(DatasetError, match="before `start`"):
        payment_options({"start": "2026-03-02", "end": "2026-03-01"})
    with pytest.raises(DatasetError, match="Known: payments, synthetic"):
        open_generator("shop", {})
