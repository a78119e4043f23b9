"""Bodies that were sent with ``Content-Encoding: gzip``."""

from __future__ import annotations

import zlib

from daybreak.errors import InvalidRequest, UnsupportedMediaType

_GZIP = {"gzip", "x-gzip"}  # RFC 9110, 8.4.1.3: the two are the same
_WITH_GZIP_HEADER = 31


def decoded(body: bytes, encoding: str, longest: int) -> bytes:
    """``body`` as it was before it was encoded.

    Of one that is longer than ``longest`` bytes, one more is decoded, and no other. Raises
    ``UnsupportedMediaType`` for another encoding, ``InvalidRequest`` for what is no whole gzip.
    """
    if encoding.strip().lower() not in _GZIP:
        raise UnsupportedMediaType(
            "The body is encoded otherwise than by gzip.",
            remedy="Send it as it is, or with Content-Encoding: gzip.",
            content_encoding=encoding,
            accept_encoding="gzip",
        )
    stream = zlib.decompressobj(wbits=_WITH_GZIP_HEADER)
    try:
        found = stream.decompress(body, longest + 1)
    except zlib.error:
        raise _broken("it is no gzip, or damaged") from None
    if len(found) > longest:
        return found
    if not stream.eof:
        raise _broken("its end is missing")
    if stream.unused_data:
        raise _broken("something follows its end")
    return found


def _broken(fault: str) -> InvalidRequest:
    return InvalidRequest(
        f"The body is not the gzip that its Content-Encoding says: {fault}.",
        remedy="Send it whole, as one gzip, or without that header.",
        field="body",
    )
