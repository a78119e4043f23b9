"""Which entities a canary answers for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def drawn(version: str, key: Sequence[str], share: float) -> bool:
    """Whether an entity is among ``share`` (0 to 1) of them, for this version.

    The same for the same version and entity, everywhere and always, and independent between
    versions; a larger share has all that a smaller one has.
    """
    text = "\0".join((version, *key)).encode("utf-8", "backslashreplace")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
    return number < share * 2.0**64
