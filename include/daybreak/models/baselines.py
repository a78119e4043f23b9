"""Versions without trees that answer by a formula, which their manifest names as ``baseline``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from daybreak.errors import ArtifactAltered
from daybreak.ledger.verdicts import BASELINE


def of_manifest(manifest: Mapping[str, Any], formulas: Collection[str]) -> str:
    """The formula that a manifest names. Raises ``ArtifactAltered`` where it is none of them."""
    name = manifest.get(BASELINE)
    if name in formulas:
        return str(name)
    raise ArtifactAltered(
        f"The manifest has no trees and names no baseline that there is, but {name!r}.",
        remedy=f"Name one of {', '.join(formulas)}, or promote another version.",
        field=BASELINE,
    )


def answering_by(name: str) -> dict[str, Any]:
    """What such a manifest says."""
    return {"engine": "none", BASELINE: name}
