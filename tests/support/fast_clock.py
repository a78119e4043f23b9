"""A clock that goes on faster than that of the system, the same in all processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FastClock:
    """At ``began`` by the system it showed ``first``; since then it has gone ``times`` as fast."""

    began: datetime
    first: datetime
    times: float
    system: Callable[[], datetime]

    def __call__(self) -> datetime:
        return self.first + (self.system() - self.began) * self.times

    def as_text(self) -> str:
        return f"{self.began.isoformat()} {self.first.isoformat()} {self.times}"

    @classmethod
    def from_text(cls, text: str, system: Callable[[], datetime]) -> FastClock:
        began, first, times = text.split()
        return cls(
            datetime.fromisoformat(began), datetime.fromisoformat(first), float(times), system
        )
