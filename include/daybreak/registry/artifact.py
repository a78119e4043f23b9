"""A version as it comes out of the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """One version as it was registered, its bytes proven by the sha256 in the ledger.

    ``booster``: bytes of ``model.ubj``. ``files``: whatever else the version carries.
    """

    model: str
    version: str
    booster: bytes = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
