"""How snapshot rows are stored in the warehouse, and what their hash covers.

A row is one run of bytes: its values and then its records, little-endian float32 throughout; the
length says how many records there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.base import NO_OPTIONS, Context, Nightly, Options, SnapshotRows

_VALUES = np.dtype("<f4")


def pack(batch: SnapshotRows) -> NDArray[Any]:
    """The bytes of each row: float32 (n, S) as it is, or with records bytes objects (n,)."""
    if batch.offsets is None:
        return batch.values.astype(_VALUES, copy=False)
    values = memoryview(batch.values.astype(_VALUES, copy=False).tobytes())
    records = memoryview(batch.records.astype(_VALUES, copy=False).tobytes())
    width, record = batch.values.shape[1] * 4, batch.records.shape[1] * 4
    edges = (batch.offsets * record).tolist()
    packed = np.empty(len(batch), object)
    for row, (first, last) in enumerate(pairwise(edges)):
        packed[row] = bytes(values[row * width : (row + 1) * width]) + bytes(records[first:last])
    return packed


def unpack(
    nightly: Nightly, keys: Sequence[Sequence[str]], packed: Sequence[bytes]
) -> SnapshotRows:
    """Rows as they were packed. ``keys``: the values of each key column."""
    columns = tuple(np.array(key, dtype=object) for key in keys)
    flat = np.frombuffer(b"".join(packed), _VALUES).astype(np.float32, copy=False)
    width, record = len(nightly.layout()), len(nightly.record_layout())
    if not record:  # all of a row are values, as many as the snapshot's options gave it
        return SnapshotRows(columns, flat.reshape(len(packed), -1 if len(packed) else width))
    lengths = np.fromiter(map(len, packed), np.int64, len(packed)) // _VALUES.itemsize
    start = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    heads = start[:, None] + np.arange(width)
    in_record = np.ones(len(flat), bool)
    in_record[heads.ravel()] = False
    offsets = np.concatenate([[0], np.cumsum((lengths - width) // record)]).astype(np.int64)
    return SnapshotRows(columns, flat[heads], flat[in_record].reshape(-1, record), offsets)


class Checked:
    """Checks the batches of a shard as they come; ``rows`` of them so far."""

    def __init__(self, nightly: Nightly, options: Options = NO_OPTIONS) -> None:
        self.rows = 0
        self._layout, self._record_layout = nightly.layout(options), nightly.record_layout()
        self._last_key: tuple[str, ...] | None = None

    def add(self, batch: SnapshotRows) -> None:
        """Raises ``ValueError`` for rows of another shape, out of order, or with infinity.

        It names the key of the first row at fault.
        """
        _check_form(batch.values, self._layout, "snapshot row")
        _check_finite(batch, batch.values, self._layout, np.arange(len(batch) + 1))
        if self._record_layout:
            _check_form(batch.records, self._record_layout, "record")
            offsets = _checked_offsets(batch)
            _check_finite(batch, batch.records, self._record_layout, offsets)
        for key in zip(*batch.keys, strict=True):
            # Python compares text by code point, which is the order of its UTF-8 bytes.
            if self._last_key is not None and key <= self._last_key:
                raise ValueError(f"key {key} comes after {self._last_key}: rows go in key order")
            self._last_key = key
        self.rows += len(batch)


class Digest:
    """The hash of a snapshot as it is stored, in whatever runs its rows are read."""

    def __init__(self, nightly: Nightly) -> None:
        self.rows = 0
        self._width = len(nightly.layout()) * _VALUES.itemsize
        self._record = len(nightly.record_layout()) * _VALUES.itemsize
        self._keys, self._values = hashlib.sha256(), hashlib.sha256()
        self._counts, self._records = hashlib.sha256(), hashlib.sha256()
        self._last_key: tuple[str, ...] | None = None

    def add(self, keys: Sequence[tuple[str, ...]], packed: Sequence[bytes]) -> None:
        """The next rows in order of position. Raises ``ValueError`` where their keys are not."""
        for key in keys:
            if self._last_key is not None and key <= self._last_key:
                raise ValueError(f"key {key} comes after {self._last_key}: rows go in key order")
            self._last_key = key
        self._keys.update("".join(f"{part}\0" for key in keys for part in key).encode())
        if self._record:
            counts = [(len(row) - self._width) // self._record for row in packed]
            self._counts.update(np.array(counts, "<i8").tobytes())
            self._records.update(b"".join(row[self._width :] for row in packed))
            packed = [row[: self._width] for row in packed]
        self._values.update(b"".join(packed))
        self.rows += len(packed)

    def sha256(self, context: bytes) -> str:
        """Hash of keys, values, records and context."""
        hashes = [self._keys, self._values]
        if self._record:
            hashes += [self._counts, self._records]
        if context:
            hashes.append(hashlib.sha256(context))
        return hashlib.sha256(b"".join(one.digest() for one in hashes)).hexdigest()


def check_context(context: Context) -> None:
    """Raises ``ValueError`` where a float array of a context holds infinity."""
    for name, values in context.items():
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ValueError(f"infinite values in {name} of the context")


def _check_form(values: NDArray[Any], layout: tuple[str, ...], what: str) -> None:
    if values.dtype != np.float32 or values.shape[1:] != (len(layout),):
        raise ValueError(
            f"a {what} is float32 ({len(layout)},), not {values.dtype} {values.shape[1:]}"
        )


def _check_finite(
    batch: SnapshotRows,
    values: NDArray[np.float32],
    layout: tuple[str, ...],
    offsets: NDArray[np.int64],
) -> None:
    """``values``: those of row i of the batch are ``values[offsets[i]:offsets[i + 1]]``."""
    infinite = np.isinf(values)
    if infinite.any():
        names = [layout[i] for i in np.flatnonzero(infinite.any(axis=0))]
        first = int(infinite.any(axis=1).argmax())
        row = int(np.searchsorted(offsets, first, side="right")) - 1
        raise ValueError(
            f"infinite values in {', '.join(names)}, first in the row of {_key(batch, row)}"
        )


def _key(batch: SnapshotRows, row: int) -> tuple[str, ...]:
    return tuple(column[row] for column in batch.keys)


def _checked_offsets(batch: SnapshotRows) -> NDArray[np.int64]:
    offsets = batch.offsets
    if (
        offsets is None
        or offsets.shape != (len(batch) + 1,)
        or offsets[0] != 0
        or offsets[-1] != len(batch.records)
    ):
        raise ValueError(
            f"the offsets of {len(batch)} rows do not cut {len(batch.records)} records into theirs"
        )
    backwards = np.diff(offsets) < 0
    if backwards.any():
        raise ValueError(
            f"the offsets of {_key(batch, int(backwards.argmax()))} end before they begin"
        )
    return offsets
