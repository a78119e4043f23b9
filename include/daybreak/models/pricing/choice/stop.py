"""What ends a search for the best prices early."""

from __future__ import annotations

from enum import IntEnum


class Stop(IntEnum):
    """What ended a search before it was sure of the best."""

    NONE = 0
    """It is sure."""
    NODES = 1
    """As many as it may look at: the same each time."""
    SECONDS = 2
    """A slower or busier machine finds less, so another run may find other prices."""
    CELLS = 3
    """No table of that size is made: the same each time."""

    @property
    def label(self) -> str:
        """As a column has it: ``seconds``; empty for none."""
        return self.name.lower() if self else ""
