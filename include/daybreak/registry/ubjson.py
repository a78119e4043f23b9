"""Universal Binary JSON, the form of ``model.ubj``, read in Python and to the last byte.

XGBoost's own reader trusts what it reads: an empty file ends the process, and a file that was cut
short can keep it busy for ever. What this module has read is complete. https://ubjson.org
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

DEEPEST = 64
"""Levels of nesting; XGBoost writes eight."""

_NUMBERS = {
    "i": struct.Struct(">b"),
    "U": struct.Struct(">B"),
    "I": struct.Struct(">h"),
    "l": struct.Struct(">i"),
    "L": struct.Struct(">q"),
    "d": struct.Struct(">f"),
    "D": struct.Struct(">d"),
}
_ARRAYS: dict[str, np.dtype[Any]] = {
    "i": np.dtype("i1"),
    "U": np.dtype("u1"),
    "I": np.dtype(">i2"),
    "l": np.dtype(">i4"),
    "L": np.dtype(">i8"),
    "d": np.dtype(">f4"),
    "D": np.dtype(">f8"),
}
_CONSTANTS = {"Z": None, "T": True, "F": False}


class NotUbjson(ValueError):
    """The bytes are no whole UBJSON value; the message says where they stop being one."""


def loads(data: bytes) -> Any:
    """The one value in ``data``: dict, list, str, number, bool or None.

    Arrays of one type of number become numpy arrays that share ``data``. Raises ``NotUbjson``.
    """
    reader = _Reader(data)
    value = reader.value(reader.marker(), 0)
    if reader.at != len(data):
        raise NotUbjson(f"{len(data) - reader.at} bytes follow its end at byte {reader.at}")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def marker(self) -> str:
        return chr(self.take(1)[0])

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self.data) - self.at:
            raise NotUbjson(f"it is cut short: {size} bytes are wanted at byte {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def value(self, marker: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise NotUbjson(f"it is nested deeper than {DEEPEST} levels")
        if marker in _NUMBERS:
            number = _NUMBERS[marker]
            return number.unpack(self.take(number.size))[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == "S":
            return self.text(self.size(self.marker()))
        if marker == "C":
            return self.text(1)
        if marker == "[":
            return self.array(depth)
        if marker == "{":
            return self.mapping(depth)
        raise NotUbjson(f"no value begins with {marker!r} (byte {self.at - 1})")

    def size(self, marker: str) -> int:
        if marker not in "iUIlL":
            raise NotUbjson(f"{marker!r} at byte {self.at - 1} is not a length")
        length: int = self.value(marker, 0)
        if length < 0:
            raise NotUbjson(f"the length at byte {self.at} is negative")
        return length

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise NotUbjson(f"the text at byte {self.at - size} is not UTF-8") from error

    def array(self, depth: int) -> Any:
        marker = self.marker()
        if marker == "$":
            kind = self.marker()
            if kind not in _ARRAYS or self.marker() != "#":
                raise NotUbjson(f"the array at byte {self.at} has no type and number of values")
            count = self.size(self.marker())
            dtype = _ARRAYS[kind]
            return np.frombuffer(self.take(count * dtype.itemsize), dtype)
        if marker == "#":
            count = self.size(self.marker())
            if count > len(self.data) - self.at:  # a value has a byte at least
                raise NotUbjson(f"it is cut short: {count} values are wanted at byte {self.at}")
            return [self.value(self.marker(), depth + 1) for _ in range(count)]
        found = []
        while marker != "]":
            found.append(self.value(marker, depth + 1))
            marker = self.marker()
        return found

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (marker := self.marker()) != "}":
            name = self.text(self.size(marker))
            if name in found:
                raise NotUbjson(f"{name!r} is in one object twice (byte {self.at})")
            found[name] = self.value(self.marker(), depth + 1)
        return found
