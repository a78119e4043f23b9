"""Signals of many moments against a loop over everything, over random logs."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import InvalidRequest
from daybreak.signals.batch import KeyMoments, fold_moments
from daybreak.signals.declared import DAY, Signal, Window
from daybreak.signals.entries import Changes, Events
from daybreak.signals.slots import ABSENT, NO_KEY, NOT_IN_LOG
from signal_oracle import Entry, Moment, Said, value_of

HOUR = 3_600_000_000
OF_A_DAY = 24 * HOUR
WINDOWS = (
    Window(timedelta(minutes=15)),
    Window(timedelta(hours=1)),
    Window(DAY),
    Window(2 * DAY),
    Window(5 * DAY),
)
SIGNALS = (
    *(Signal("card", "count", window) for window in WINDOWS),
    *(
        Signal("card", measure, window, "amount")
        for measure in ("sum", "mean", "max")
        for window in WINDOWS
    ),
    *(Signal("card", "distinct", window, "shop") for window in WINDOWS),
    *(Signal("card", "since_last", window) for window in WINDOWS),
    *(Signal("card", "fraud_share", Window(days * DAY, DAY)) for days in (1, 4)),
    Signal("card", "count", Window(2 * DAY, 2 * DAY)),
)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Entry], list[Said], list[Moment]]:
    """Few cards and moments that often coincide; some events and labels are late."""
    times = st.integers(0, 40).map(lambda n: n * 6 * HOUR // 2)
    lateness = st.sampled_from([0, 0, 0, 1, HOUR, OF_A_DAY, 3 * OF_A_DAY])
    given_events = draw(
        st.lists(
            st.tuples(
                times,
                lateness,
                st.sampled_from("ab"),
                st.one_of(st.none(), st.integers(0, 10_000)),
                st.one_of(st.none(), st.sampled_from("xyz")),
            ),
            max_size=30,
        )
    )
    order = sorted(range(len(given_events)), key=lambda n: sum(given_events[n][:2]))
    log = [
        Entry(
            f"e{n}",
            (it := given_events[n])[0],
            place + 1,
            it[0] + it[1],
            it[0] // OF_A_DAY,
            {"card": it[2]} | ({"shop": it[4]} if it[4] else {}),
            {} if it[3] is None else {"amount": it[3]},
        )
        for place, n in enumerate(order)
    ]
    said = [
        Said(one.event_id, fraud, 1000 + n, one.known + after)
        for n, (one, fraud, after) in enumerate(
            (one, fraud, after)
            for one in log
            for fraud, after in draw(
                st.lists(st.tuples(st.booleans(), st.integers(0, 3 * OF_A_DAY)), max_size=2)
            )
        )
    ]
    moments = [Moment(one.at, one.sequence, one.known, one.day, one.keys) for one in log[::2]] + [
        Moment(at, NOT_IN_LOG, at + known, at // OF_A_DAY, {"card": card})
        for at, known, card in draw(
            st.lists(st.tuples(times, lateness, st.sampled_from("abc")), max_size=8)
        )
    ]
    return log, said, moments


@pytest.mark.slow
@given(logs())
def test_every_signal_is_that_of_the_loop(
    found: tuple[list[Entry], list[Said], list[Moment]],
) -> None:
    log, said, moments = found
    values = fold_moments(SIGNALS, *columns(log, said, moments), 100)

    expected = [[value_of(one, at, log, said, 100) for one in SIGNALS] for at in moments]
    wanted = np.array(expected, np.float32).reshape(values.shape)
    np.testing.assert_array_equal(values.view(np.uint32), wanted.view(np.uint32))


def columns(
    log: list[Entry], said: list[Said], moments: list[Moment]
) -> tuple[Events, Changes, KeyMoments]:
    """The log as columns, in the orders that they have to be in."""
    card, shop = {"a": 0, "b": 1, "c": 2}, {"x": 11, "y": -5, "z": 7}
    log = sorted(log, key=lambda one: (one.keys["card"], one.at, one.sequence))

    def of(values: list[int]) -> np.ndarray:
        return np.array(values, np.int64)

    events = Events(
        of([card[one.keys["card"]] for one in log]),
        of([one.at for one in log]),
        of([one.sequence for one in log]),
        of([one.known for one in log]),
        of([one.day for one in log]),
        {"amount": of([one.amounts.get("amount", ABSENT) for one in log])},
        {"shop": of([shop.get(one.keys.get("shop", ""), NO_KEY) for one in log])},
    )
    changed = []
    by_event: dict[str, list[Said]] = defaultdict(list)
    for word in said:
        by_event[word.event_id].append(word)
    for one in log:
        before = False
        for word in sorted(by_event[one.event_id], key=lambda word: (word.known, word.sequence)):
            if word.fraud != before:
                change = 1 if word.fraud else -1
                changed.append((card[one.keys["card"]], one.day, word.known, change))
            before = word.fraud
    changed.sort(key=lambda it: it[:2])
    return (
        events,
        Changes(*(of([it[n] for it in changed]) for n in range(4))),
        KeyMoments(
            of([card[one.keys["card"]] for one in moments]),
            of([one.at for one in moments]),
            of([one.sequence for one in moments]),
            of([one.known for one in moments]),
            of([one.day for one in moments]),
        ),
    )


def test_amounts_that_do_not_add_up_are_said() -> None:
    most = 2**62
    log = [Entry(str(n), n, n, n, 0, {"card": "a"}, {"amount": most}) for n in range(3)]
    moment = Moment(9, NOT_IN_LOG, 9, 0, {"card": "a"})
    with pytest.raises(InvalidRequest, match=r"2\^63"):
        fold_moments([Signal("card", "sum", Window(DAY), "amount")], *columns(log, [], [moment]), 1)
