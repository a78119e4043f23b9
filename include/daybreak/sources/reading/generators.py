"""Generated data. A generator is code, so the list is closed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from daybreak.errors import DatasetError


class Shop(Protocol):
    """What a generator has to give."""

    def stream(self, section: str) -> Iterator[pa.RecordBatch]:
        """Batches of one table, equal for equal options, in bounded memory."""
        ...


@dataclass(frozen=True)
class Generator:
    """A generator with its options. ``schemas``: table -> Arrow schema."""

    name: str
    shop: Shop
    schemas: Mapping[str, pa.Schema]
    options: str

    def digest(self, table: str) -> str:
        """Stands for the bytes of the table: equal options give equal bytes."""
        return hashlib.sha256(f"{self.name}/{table}:{self.options}".encode()).hexdigest()


def open_generator(name: str, options: Mapping[str, Any]) -> Generator:
    """The generator of that name. Raises ``DatasetError`` for an unknown name or option."""
    if name != "synthetic":
        raise DatasetError(
            f"There is no generator {name!r}.", remedy="Known: synthetic.", generator=name
        )
    from daybreak.sources.synthetic import SCHEMAS, generate, shop_options  # noqa: PLC0415

    checked = shop_options(options)
    text = json.dumps(checked.model_dump(mode="json"), sort_keys=True)
    return Generator(name, generate(checked), SCHEMAS, text)
