"""Bytes to requests: however they are cut, within limits, and what two parsers could read apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import DaybreakError, HeadersTooLarge, InvalidRequest, RequestTooLarge
from daybreak.serving.server.requests import MOST_AHEAD, Limits, Request, Requests

LIMITS = Limits(body=100, line=60, headers=400, fields=6)
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
TOKEN = st.from_regex(rb"[A-Za-z0-9-]{1,12}", fullmatch=True)
VALUE = st.from_regex(rb"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)


@st.composite
def sent(draw: st.DrawFn) -> tuple[bytes, Request]:
    """A request as bytes, and what it says."""
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE"]))
    target = b"/" + draw(st.from_regex(rb"[a-z0-9/%?=&]{0,20}", fullmatch=True))
    names = draw(st.lists(TOKEN.map(lambda name: b"X-" + name), max_size=3))
    headers = [(name, draw(VALUE)) for name in names]
    body = b"" if method in {b"GET", b"HEAD"} else draw(st.binary(max_size=100))
    if body and draw(st.booleans()):
        headers.append((b"Transfer-Encoding", b"chunked"))
        cut = draw(st.integers(1, len(body)))
        pieces = [piece for piece in (body[:cut], body[cut:], b"") if piece] + [b""]
        payload = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    else:
        headers.append((b"Content-Length", b"%d" % len(body)))
        payload = body
    close = draw(st.booleans())
    if close:
        headers.append((b"Connection", b"close"))
    lines = [b"%s %s HTTP/1.1" % (method, target), *(b"%s: %s" % pair for pair in headers)]
    said = [(name.lower(), value) for name, value in headers]
    whole = b"\r\n".join([*lines, b"", b""]) + payload
    return whole, Request(method, target, said, body, "1.1", not close)


@pytest.mark.slow
@given(st.lists(sent(), min_size=1, max_size=3), st.data())
def test_requests_are_read_however_they_are_cut(
    all_sent: list[tuple[bytes, Request]], data: st.DataObject
) -> None:
    until = next((n for n, (_, said) in enumerate(all_sent) if not said.keep_alive), len(all_sent))
    all_sent = all_sent[: until + 1]  # after that one no more is read
    stream = b"".join(raw for raw, _ in all_sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    requests = Requests(LIMITS)
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        requests.feed(stream[first:last])

    assert list(requests.ready) == [said for _, said in all_sent]
    assert not requests.begun


def fault(raw: bytes, *more: bytes) -> DaybreakError:
    requests = Requests(LIMITS)
    try:
        for piece in (raw, *more):
            requests.feed(piece)
    except DaybreakError as error:
        return error
    raise AssertionError("it was taken")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"GET /" + b"x" * 60 + b" HTTP/1.1\r\n", HeadersTooLarge),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 400, HeadersTooLarge),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 8, HeadersTooLarge),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 400 + b"\r\n\r\n", HeadersTooLarge),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", RequestTooLarge),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101,
            RequestTooLarge,
        ),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", InvalidRequest),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", InvalidRequest),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", InvalidRequest),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            InvalidRequest,
        ),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", InvalidRequest),
        (b"GET / HTTP/1.1\r\nX : y\r\n\r\n", InvalidRequest),
        (b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n", InvalidRequest),
        (b"GET / HTTP/1.1\nX: y\n\n", InvalidRequest),
        (b"GET /a b HTTP/1.1\r\n\r\n", InvalidRequest),
        (b"\x16\x03\x01\x02\x00\x01", InvalidRequest),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", InvalidRequest),
    ],
)
def test_what_is_not_taken(raw: bytes, kind: type[DaybreakError]) -> None:
    assert type(fault(raw)) is kind
    # Nor where it comes byte by byte, or what is beyond a limit would be read all the same.
    assert type(fault(*(raw[n : n + 1] for n in range(len(raw))))) is kind


def test_a_client_may_not_send_any_number_of_requests_ahead() -> None:
    error = fault(b"GET / HTTP/1.1\r\n\r\n" * (MOST_AHEAD + 1))
    assert "sent ahead" in error.message


def test_where_a_request_is_known_at_every_byte() -> None:
    requests = Requests(LIMITS)
    assert (requests.begun, requests.body_begun) == (False, False)
    requests.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n")
    assert (requests.begun, requests.body_begun, requests.awaits_continue) == (True, False, False)
    requests.feed(b"\r\n")
    assert (requests.body_begun, requests.awaits_continue) == (True, True)
    requests.feed(b"a")
    assert (requests.body_begun, requests.awaits_continue) == (True, False)
    requests.feed(b"bGET")
    assert requests.ready.popleft().body == b"ab"
    assert (requests.begun, requests.body_begun) == (True, False)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"CONNECT example:443 HTTP/1.1\r\n\r\n",
    ],
)
def test_another_protocol_is_offered_in_vain(raw: bytes) -> None:
    """The app answers, and whatever was meant to come then is not read as HTTP."""
    requests = Requests(LIMITS)
    requests.feed(raw)
    assert not requests.ready.popleft().keep_alive
