"""A version as the registry loads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daybreak.errors import InvalidRequest

EngineKind = Literal["xgboost", "none"]


@dataclass(frozen=True)
class Artifact:
    """One version as it was registered, its bytes checked against the sha256 in the ledger.

    ``booster``: bytes of ``model.ubj``, none where the engine is none. ``files``: whatever else the
    version carries.
    """

    model: str
    version: str
    booster: bytes = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def engine(self) -> EngineKind:
        """What scores it."""
        return engine_of(self.manifest)


def engine_of(manifest: Mapping[str, Any]) -> EngineKind:
    """``xgboost`` unless the manifest says ``none``. Raises ``InvalidRequest`` for another one."""
    engine = manifest.get("engine", "xgboost")
    if engine not in ("xgboost", "none"):
        raise InvalidRequest(
            f"The manifest's engine is {engine!r}.",
            remedy="Say xgboost (trees in model.ubj) or none (a formula).",
            field="engine",
        )
    return "none" if engine == "none" else "xgboost"
