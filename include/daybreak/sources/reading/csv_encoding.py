"""The bytes of a text file as UTF-8, and where they are not in its encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

_SCAN_BYTES = 1 << 20


def utf8_pieces(path: Path, encoding: str, size: int) -> Iterator[bytes]:
    """The file, plain or compressed (by suffix: .gz), in pieces of about ``size`` bytes of UTF-8.

    A byte order mark is left out. UTF-8 itself is passed on unchecked: Arrow checks the columns
    that are read. Raises ``UnicodeDecodeError`` for bytes that are not in the encoding, and
    ``OSError`` where the compression cannot be undone.
    """
    with pa.input_stream(str(path), compression="detect") as file:
        if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
            piece = file.read(size)
            yield piece.removeprefix(codecs.BOM_UTF8)
            while piece:
                yield (piece := file.read(size))
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        first = True
        while piece := file.read(size):
            text = decoder.decode(piece)
            yield (text.removeprefix("\ufeff") if first else text).encode()
            first = first and not text
        yield decoder.decode(b"", final=True).encode()


def first_undecodable(path: Path, encoding: str) -> tuple[int, int] | None:
    """Offset and line (1 is the first) of the first byte that is not text, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = lines = 0
    with pa.input_stream(str(path), compression="detect") as file:
        while True:
            block = file.read(_SCAN_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = done - pending + error.start
                here = block[: max(0, error.start - pending)]
                return at, lines + here.count(b"\n") + 1
            if not block:
                return None
            done += len(block)
            lines += block.count(b"\n")
