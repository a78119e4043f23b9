"""What may be done from the page: by the same functions as from the command line.

The service itself may not write what these do, so it does not do them. Who makes the app gives it
these, with the rights of the jobs where its process has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol


class Acts(Protocol):
    """``person`` and ``reason`` are kept with what was done."""

    def promote(self, model: str, version: str, reason: str, *, person: str) -> Mapping[str, Any]:
        """Put a version in force. Raises ``NotFound`` and ``InvalidRequest``."""
        ...

    def roll_back(
        self, model: str, business_date: date, reason: str, *, person: str
    ) -> Mapping[str, Any]:
        """Withdraw what is published of a day. Raises ``NotPublished`` and ``InvalidRequest``."""
        ...

    def asked(self, generation_id: int) -> Mapping[str, Any]:
        """What a person is asked about a generation that waits: ``model``, ``business_date``,
        ``subject``, ``body``, ``cap``. Raises ``NotFound`` and ``IllegalTransition``."""
        ...

    def answer(
        self, generation_id: int, answer: str, reason: str, most: int | None, *, person: str
    ) -> Mapping[str, Any] | None:
        """Approve, cap or reject; what was published, or None. Raises ``AlreadyDecided``,
        ``InvalidRequest`` and what ``asked`` raises."""
        ...
