"""PostgreSQL's binary COPY format, read as one numpy structure where no width varies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.warehouse.copy_encode import EPOCH_DAYS, EPOCH_MICROSECONDS

_EXPECTED = frozenset(["i2", "i4", "i8", "f4", "f8", "b1", "M8[D]", "M8[us]"])


class RowDecoder:
    """Turns the wire bytes of whole rows into structured arrays of ``dtype``.

    ``dates``: names of the columns that are dates in the database; an integer field that takes
    one gets days since 1970-01-01. A field with a shape, such as ``("features", "<f4", (40,))``,
    takes a ``bytea`` of exactly that many bytes.
    """

    def __init__(self, dtype: np.dtype[Any], dates: frozenset[str] = frozenset()) -> None:
        if not dtype.names:
            raise TypeError(f"{dtype} has no named fields")
        self.dtype = dtype
        self._names = dtype.names
        self._dates = dates
        parts: list[tuple[str, Any]] = [("count", ">i2")]
        for name in self._names:
            parts += [(f"length of {name}", ">i4"), (f"value of {name}", _wire(dtype[name], name))]
        self._wire = np.dtype(parts)
        self.row_bytes = self._wire.itemsize

    def decode(self, data: bytes) -> NDArray[Any]:
        """Rows (m,); raises ``ValueError`` naming a column that is NULL or of another width."""
        wire = np.frombuffer(data, self._wire)
        self._check(wire)
        rows = np.empty(len(wire), self.dtype)
        for name in self._names:
            values = wire[f"value of {name}"]
            kind = self.dtype[name]
            if name in self._dates:
                days = values.astype(np.int64) + EPOCH_DAYS
                rows[name] = days.view("datetime64[D]") if kind.kind == "M" else days
            elif kind.kind == "M":
                rows[name] = (values.astype(np.int64) + EPOCH_MICROSECONDS).view("datetime64[us]")
            else:
                rows[name] = values
        return rows

    def _check(self, wire: NDArray[Any]) -> None:
        if (wire["count"] != len(self._names)).any():
            raise ValueError(self._misfit(wire))
        for name in self._names:
            if (wire[f"length of {name}"] != self._wire[f"value of {name}"].itemsize).any():
                raise ValueError(self._misfit(wire))

    def _misfit(self, wire: NDArray[Any]) -> str:
        # The first field of the first bad row is to blame; all after it is out of step.
        for row in wire:
            for name in self._names:
                got, due = row[f"length of {name}"], self._wire[f"value of {name}"].itemsize
                if got == -1:
                    return f"column {name} is NULL where {self.dtype[name]} was asked for"
                if got != due:
                    return f"column {name} has {got} bytes a value, not the {due} asked for"
        return f"a row has not the {len(self._names)} columns asked for"


def _wire(kind: np.dtype[Any], name: str) -> np.dtype[Any]:
    if kind.shape:
        return kind
    short = kind.str.lstrip("<>|=")
    if short not in _EXPECTED:
        raise TypeError(f"field {name} of dtype {kind} cannot be copied out")
    if kind.kind == "M":
        return np.dtype(">i4" if short == "M8[D]" else ">i8")
    return kind.newbyteorder(">")
