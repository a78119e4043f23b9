"""The table of the kinds of sections: all that the rest of the package knows of them.

The schema of the YAML file, the parsing, the loading and the closing of days go by these entries.
A new kind is a file beside this one that ends with its entry, and a line here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from daybreak.sources.contract.section import Section
from daybreak.sources.sections.competitors import COMPETITORS
from daybreak.sources.sections.costs import COSTS
from daybreak.sources.sections.interactions import INTERACTIONS
from daybreak.sources.sections.items import ITEMS
from daybreak.sources.sections.kind import SectionKind
from daybreak.sources.sections.labels import LABELS
from daybreak.sources.sections.plan import PLAN
from daybreak.sources.sections.pricing import PRICING
from daybreak.sources.sections.sales import SALES
from daybreak.sources.sections.stock import STOCK
from daybreak.sources.sections.stores import STORES
from daybreak.sources.sections.streams import STREAMS

KINDS: tuple[SectionKind[Any], ...] = (
    SALES,
    PLAN,
    ITEMS,
    STORES,
    INTERACTIONS,
    STREAMS,
    LABELS,
    COSTS,
    COMPETITORS,
    STOCK,
    PRICING,
)
"""In the order in which sections are loaded."""

BY_NAME = MappingProxyType({kind.name: kind for kind in KINDS})
FACTS = tuple(kind.name for kind in KINDS if kind.is_fact)
"""The kinds that may close days."""


def kind_of(section: Section) -> SectionKind[Any]:
    """The entry of a section. Raises ``KeyError`` for one that is not in the table."""
    return BY_NAME[section.kind]
