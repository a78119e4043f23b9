"""Bodies in gzip: what was encoded comes back, no more of it than may, and nothing breaks."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import InvalidRequest
from daybreak.serving.http.compression import decoded

LONGEST = 1000


@given(st.binary(max_size=LONGEST), st.integers(0, 9))
def test_what_was_encoded_comes_back(body: bytes, level: int) -> None:
    assert decoded(gzip.compress(body, level), "gzip", LONGEST) == body


def test_a_bomb_is_not_decoded_beyond_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 50_000
    assert len(decoded(bomb, "gzip", LONGEST)) == LONGEST + 1


@given(st.binary(max_size=200))
def test_no_body_breaks_the_decoder(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decoded(body, "gzip", LONGEST)


@given(st.binary(max_size=LONGEST), st.data())
def test_what_was_cut_or_damaged_is_refused(body: bytes, data: st.DataObject) -> None:
    encoded = gzip.compress(body)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(InvalidRequest):
        decoded(encoded[:cut], "gzip", LONGEST)
    damaged = encoded[:-8] + bytes([encoded[-8] ^ 1]) + encoded[-7:]  # its checksum
    with pytest.raises(InvalidRequest):
        decoded(damaged, "gzip", LONGEST)
