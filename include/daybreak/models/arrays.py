"""Named arrays as one ``.npz``: what a version learned beside its trees, what a day's rows share.

Nothing is pickled, neither on the way out nor on the way in.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import ArtifactAltered

LONGEST_PADDED = 64
"""Characters of a name up to which numpy text, four bytes each, wastes little."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The archive, in order of name; equal arrays give equal bytes.

    Raises ``ValueError`` for an array of Python objects, which only pickle could hold.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of ``pack``. Raises ``ArtifactAltered`` where the bytes are no such archive."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactAltered(
            f"These {len(content)} bytes are not an archive of arrays: {error}.",
            remedy="Restore the file from a backup, or train again.",
        ) from None


def from_names(names: NDArray[Any]) -> NDArray[Any]:
    """Texts (N,), object and without NUL, as an array that ``pack`` takes.

    Numpy text is as wide as its longest, so beyond ``LONGEST_PADDED`` it is one run of UTF-8.
    """
    if max(map(len, names.tolist()), default=0) <= LONGEST_PADDED:
        return names.astype(np.str_)
    return np.frombuffer("\0".join(names.tolist()).encode(), np.uint8)


def to_names(values: NDArray[Any]) -> NDArray[np.object_]:
    """The texts that ``from_names`` was given, object (N,)."""
    if values.dtype.kind == "U":
        return values.astype(object)
    return np.array(values.tobytes().decode().split("\0"), object)
