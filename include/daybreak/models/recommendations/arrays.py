"""Named arrays as one ``.npz`` whose bytes depend on the arrays alone.

``numpy.savez`` writes the time of day into the archive, so equal arrays would have another sha256
each time. Nothing is pickled, neither on the way out nor on the way in.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import ArtifactAltered

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a zip can hold


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The archive, in order of name. Raises ``ValueError`` for an array of Python objects."""
    buffer = io.BytesIO()
    # Stored, not deflated: the bytes of a compressor change with its version.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(
                member, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False
            )
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, member.getvalue())
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
