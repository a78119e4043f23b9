"""The form of ``traceparent`` that W3C Trace Context gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.serving.http.tracing import trace_id, valid_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("good", [GOOD, f"cc-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-next"])
def test_a_valid_one_is_taken_over(good: str) -> None:
    assert valid_traceparent(good) == good
    assert trace_id(good) == TRACE


@pytest.mark.parametrize(
    "bad",
    [
        "",
        GOOD.upper(),
        GOOD[:-1],
        f"{GOOD}-more",
        f"{GOOD}, {GOOD}",
        f"{GOOD}\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-{SPAN}-01-a\r\nb: c",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 300}",
    ],
)
def test_an_invalid_one_is_ignored(bad: str) -> None:
    assert valid_traceparent(bad) == ""
    assert trace_id(valid_traceparent(bad)) == ""


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*"))
def test_what_is_taken_over_may_stand_in_a_header(given_: str) -> None:
    found = valid_traceparent(given_)
    assert found in {"", given_}
    assert found.isprintable()
    assert found.isascii()
