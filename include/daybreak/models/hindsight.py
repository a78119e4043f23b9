"""What came true beside what a model said: the facet by which `daybreak advise` measures freshness.

A model says which of its answers are used on the day after, and how far they were from the truth.
The platform decides from which knowledge they are made, and never which is better.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Realised:
    """How far the answers of a day were from what came true.

    ``value``: the headline measure. ``weight``: what it is averaged over days by, 0 or more; where
    it is a ratio of sums, the sum below. ``lost``: units of loss of all answers.
    """

    value: float
    weight: float
    lost: float


class Hindsight(ABC):
    """``measure``: the headline measure of the model's gate, by name. ``unit``: of what is lost, in
    the singular. ``acted_on``: columns of the score table that a caller acts on; answers differ
    where one of these does."""

    measure: ClassVar[str]
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str]
    acted_on: ClassVar[tuple[str, ...]]

    @abstractmethod
    def known_from(self, warehouse: Connection, day: date, manifest: Mapping[str, Any]) -> date:
        """The business date with whose closing the truth about answers of ``day`` is known."""

    def used(self, warehouse: Connection, day: date, columns: Columns) -> Columns:
        """Of the rows of a business date, or of one before it, those used on the day after ``day``;
        here all. Rows of an entity stay in their order."""
        return columns

    @abstractmethod
    def realised(self, warehouse: Connection, truth: AsOf, day: date, columns: Columns) -> Realised:
        """What came true beside rows that ``used`` has given. ``truth`` bounds what is read."""
