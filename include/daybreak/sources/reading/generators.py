"""Generated data. A generator is code, so the list is closed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from pydantic import BaseModel

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
    if name not in _GENERATORS:
        raise DatasetError(
            f"There is no generator {name!r}.",
            remedy=f"Known: {', '.join(sorted(_GENERATORS))}.",
            generator=name,
        )
    return _GENERATORS[name](options)


def _synthetic(options: Mapping[str, Any]) -> Generator:
    from daybreak.sources.synthetic import SCHEMAS, generate, shop_options  # noqa: PLC0415

    checked = shop_options(options)
    return Generator("synthetic", generate(checked), SCHEMAS, _text(checked))


def _payments(options: Mapping[str, Any]) -> Generator:
    from daybreak.sources.synthetic.payments import (  # noqa: PLC0415
        SCHEMAS,
        Payments,
        payment_options,
    )

    checked = payment_options(options)
    return Generator("payments", Payments(checked), SCHEMAS, _text(checked))


_GENERATORS: Mapping[str, Callable[[Mapping[str, Any]], Generator]] = {
    "payments": _payments,
    "synthetic": _synthetic,
}


def _text(options: BaseModel) -> str:
    return json.dumps(options.model_dump(mode="json"), sort_keys=True)
