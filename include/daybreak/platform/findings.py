"""Results of checks of the platform, as ``status`` and ``doctor`` print them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """What one check saw. ``remedy`` is empty where all is well.

    With a remedy and ``ok`` it is a note: it works as set up, which may not be what was wanted.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""

    @property
    def state(self) -> Literal["ok", "note", "fault"]:
        """How much it matters."""
        if not self.ok:
            return "fault"
        return "note" if self.remedy else "ok"

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "state": self.state}
