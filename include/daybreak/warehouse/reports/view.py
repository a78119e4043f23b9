"""A view of the schema ``report``, of the platform or of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files


@dataclass(frozen=True)
class View:
    """``report.<name>``, made by the SQL of ``definition``.

    ``described_as``: another view, of whose columns it has all; they are described as there.
    """

    name: str
    definition: str
    described_as: str | None = None

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits of its text."""
        return hashlib.sha256(self.definition.encode()).hexdigest()[:16]


def views_of(
    package: str, *names: str, described_as: Mapping[str, str] | None = None
) -> tuple[View, ...]:
    """The views whose text is in ``<name>.sql`` of a package, in the order of ``names``.

    They are made in that order, so each may use those before it.
    """
    folder, as_there = files(package), described_as or {}
    return tuple(
        View(name, (folder / f"{name}.sql").read_text(), as_there.get(name)) for name in names
    )
