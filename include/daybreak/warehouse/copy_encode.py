"""PostgreSQL's binary COPY format, written a chunk of rows at a time with numpy.

A row on the wire is a two-byte count of fields, then for each field a four-byte length (-1 is
NULL) and that many bytes, all big-endian. Here each field of a chunk becomes a byte matrix
(m rows, 4 + width) that holds length and value side by side, with a mask over the bytes that
are really sent. The matrices next to one another, flattened under their masks, are the wire.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# The server counts from 2000-01-01, numpy from 1970-01-01.
EPOCH_DAYS = 10_957
EPOCH_MICROSECONDS = EPOCH_DAYS * 86_400_000_000

_NULL = -1

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Texts:
    """``m`` texts end to end, which takes the memory of their bytes whatever the longest one is.

    ``payload``: uint8, UTF-8. ``offsets``: integers (m + 1,), text i is
    ``payload[offsets[i]:offsets[i + 1]]``. ``nulls``: bool (m,), texts that are NULL, which have
    no bytes; None where none is.
    """

    payload: Bytes
    offsets: NDArray[np.integer]
    nulls: Mask | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice) -> Texts:
        """A run of them, without a copy."""
        first, last, _ = rows.indices(len(self))
        nulls = None if self.nulls is None else self.nulls[rows]
        return Texts(self.payload, self.offsets[first : last + 1], nulls)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each, (m,)."""
        return np.diff(self.offsets).astype(np.int64)


Values: TypeAlias = NDArray[Any] | Texts
"""The values of a column."""


class Block(NamedTuple):
    """One field of a chunk: lengths and values, uint8 (m, 4 + width); ``sent`` None: every byte."""

    matrix: Bytes
    sent: Mask | None


def encode_rows(columns: Sequence[tuple[Column[Any], Values]], rows: int) -> bytes:
    """The wire bytes of ``rows`` rows, without header and trailer.

    Raises ``TypeError`` or ``ValueError`` naming the column whose values do not fit its type.
    """
    blocks = [_count_block(len(columns), rows)]
    for column, values in columns:
        try:
            blocks.append(_encode(column.type, values))
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{column.table}.{column.name}: {error}") from error
    matrix = np.hstack([block.matrix for block in blocks])
    if all(block.sent is None for block in blocks):
        return matrix.tobytes()
    sent = [
        np.ones(block.matrix.shape, bool) if block.sent is None else block.sent for block in blocks
    ]
    kept: Bytes = matrix[np.hstack(sent)]
    return kept.tobytes()


def _encode(kind: TypeEngine[Any], values: Values) -> Block:
    if isinstance(values, Texts):
        if not isinstance(kind, String):
            raise TypeError(f"texts do not belong into a column of type {kind!r}")
        sent = values.payload[values.offsets[0] : values.offsets[-1]]
        return _ragged(sent, values.lengths, values.nulls)
    nulls = _nulls(values)
    values = np.ma.getdata(values)
    if isinstance(kind, JSONB):
        # On the wire, jsonb is a version number and its text.
        return _strings([f"\x01{_json(text)}" for text in _plain(values, nulls, "null")], nulls)
    if isinstance(kind, LargeBinary):
        return _binary(values, nulls)
    if isinstance(kind, String):
        return _strings(_plain(values, nulls, ""), nulls)
    return _fixed(_numbers(kind, values, nulls), nulls)


# --- fields of fixed width -------------------------------------------------------------------


def _numbers(kind: TypeEngine[Any], values: NDArray[Any], nulls: Mask | None) -> NDArray[Any]:
    """The values in the server's own representation, big-endian (m,)."""
    if nulls is not None and values.dtype == object:
        raise TypeError("give numbers, dates and flags as a numpy array, NULLs as a masked array")
    match kind:
        case Integer():  # its small and big sisters are subclasses
            return _integers(values, nulls, _width(kind))
        case REAL() | Double():
            return _floats(values, ">f4" if isinstance(kind, REAL) else ">f8")
        case Boolean():
            return _of_kind(values, "b").astype("u1")
        case Date() | DateTime(timezone=True):
            return _times(kind, _of_kind(values, "M"), nulls)
        case _:
            raise TypeError(f"columns of type {kind!r} cannot be copied in")


def _width(kind: Integer) -> str:
    if isinstance(kind, SmallInteger):
        return ">i2"
    return ">i8" if isinstance(kind, BigInteger) else ">i4"


def _times(kind: TypeEngine[Any], values: NDArray[Any], nulls: Mask | None) -> NDArray[Any]:
    if isinstance(kind, Date):
        days = _exact(values, "datetime64[D]").view(np.int64)
        return _integers(days - EPOCH_DAYS, nulls, ">i4")
    instants = _exact(values, "datetime64[us]").view(np.int64)
    return (instants - EPOCH_MICROSECONDS).astype(">i8")


def _of_kind(values: NDArray[Any], kinds: str) -> NDArray[Any]:
    if values.dtype.kind not in kinds:
        raise TypeError(f"values of dtype {values.dtype} do not belong in this column")
    return values


def _integers(values: NDArray[Any], nulls: Mask | None, wire: str) -> NDArray[Any]:
    _of_kind(values, "iu")
    kept = values if nulls is None else values[~nulls]
    bounds = np.iinfo(wire)
    if kept.size and not (bounds.min <= kept.min() and kept.max() <= bounds.max):
        raise ValueError(f"values {kept.min()} to {kept.max()} do not fit into {bounds.dtype}")
    return values.astype(wire)


def _floats(values: NDArray[Any], wire: str) -> NDArray[Any]:
    _of_kind(values, "iuf")
    if not np.can_cast(values.dtype, wire, "safe"):
        raise TypeError(f"{values.dtype} would lose digits here: round it to float32 yourself")
    return values.astype(wire)


def _exact(values: NDArray[Any], unit: str) -> NDArray[Any]:
    converted = values.astype(unit)
    if not np.array_equal(converted.astype(values.dtype), values, equal_nan=True):
        raise ValueError(f"times are finer than {unit}")
    return converted


def _fixed(values: NDArray[Any], nulls: Mask | None) -> Block:
    return _block(np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1), None, nulls)


# --- fields of varying width -----------------------------------------------------------------


def _plain(values: NDArray[Any], nulls: Mask | None, filler: Any) -> list[Any]:
    """The values as Python objects, something harmless where there is none."""
    if nulls is not None:
        values = np.where(nulls, np.array(filler, object), values)
    plain: list[Any] = values.tolist()
    return plain


def _json(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"give JSON as text, not as {type(text).__name__}")
    return text


def _strings(texts: list[str], nulls: Mask | None) -> Block:
    joined = "".join(texts)
    if joined.isascii():  # ids mostly are: no need to encode them one by one
        return _ragged(_as_bytes(joined.encode()), _lengths(texts), nulls)
    return _chunks([text.encode() for text in texts], nulls)


def _chunks(values: list[bytes], nulls: Mask | None) -> Block:
    return _ragged(_as_bytes(b"".join(values)), _lengths(values), nulls)


def _as_bytes(payload: bytes) -> Bytes:
    return np.frombuffer(payload, np.uint8)


def _lengths(values: Sequence[Sized]) -> NDArray[np.int64]:
    return np.fromiter(map(len, values), np.int64, len(values))


def _ragged(payload: Bytes, lengths: NDArray[np.int64], nulls: Mask | None) -> Block:
    width = int(lengths.max(initial=0))
    inside = np.arange(width) < lengths[:, None]
    matrix = np.zeros(inside.shape, np.uint8)
    matrix[inside] = payload
    return _block(matrix, lengths, nulls)


def _binary(values: NDArray[Any], nulls: Mask | None) -> Block:
    if values.ndim == 2:  # a row of numbers each, such as float32 features
        if values.dtype not in (np.dtype("<f4"), np.dtype("u1")):
            raise TypeError(f"rows of {values.dtype} are not little-endian float32 or bytes")
        return _block(np.ascontiguousarray(values).view(np.uint8), None, nulls)
    return _chunks(_plain(_of_kind(values, "O"), nulls, b""), nulls)


# --- assembly --------------------------------------------------------------------------------


def _nulls(values: NDArray[Any]) -> Mask | None:
    """Which values are NULL (m,), or None where none is: masked, None, or not a time."""
    nulls = np.zeros(len(values), bool)
    if isinstance(values, np.ma.MaskedArray):
        nulls |= np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if data.dtype == object:
        nulls |= data == None  # noqa: E711 - elementwise, which `is` is not
    if data.dtype.kind == "M":
        nulls |= np.isnat(data)
    return nulls if nulls.any() else None


def _block(values: Bytes, lengths: NDArray[np.int64] | None, nulls: Mask | None) -> Block:
    rows, width = values.shape
    if lengths is None:
        lengths = np.full(rows, width, np.int64)
    if nulls is not None:
        lengths = np.where(nulls, _NULL, lengths)
    matrix = np.empty((rows, 4 + width), np.uint8)
    matrix[:, :4] = lengths.astype(">i4").view(np.uint8).reshape(rows, 4)
    matrix[:, 4:] = values
    if (lengths == width).all():
        return Block(matrix, None)
    return Block(matrix, np.arange(-4, width) < np.maximum(lengths, 0)[:, None])


def _count_block(fields: int, rows: int) -> Block:
    count = np.frombuffer(np.array(fields, ">i2").tobytes(), np.uint8)
    return Block(np.broadcast_to(count, (rows, 2)), None)
