"""The form of requests and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from daybreak.models.base.rows import Key, Source

RequestT = TypeVar("RequestT", bound=BaseModel)


@dataclass(frozen=True)
class Example:
    """A request, as JSON, and what answers it on the data that it was written for.

    ``predictions``: rows of the answer. The documentation of the endpoint shows both.
    """

    request: Mapping[str, Any]
    predictions: Sequence[Mapping[str, Any]]
    source: Source
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint(Generic[RequestT]):
    """The form of requests and answers.

    ``request``: form of a request. ``entity``: the snapshot row that a request is about, by its
    key; None where it is about none. ``default_key``: key of the default row, which answers for an
    entity that has none; None: that is an error. ``prediction``: form of one row of an answer;
    None: the columns of the nightly score table. ``extra``: form of what a row may have beside
    these; what is NaN in a row, or in no row, is left out. ``notes``: form of ``Remarks.notes``,
    whose fields stand in every answer. ``examples``: by what they show. ``request_of``: the
    request, as JSON, that a published row answers; by it `daybreak advise` makes requests.
    """

    request: type[RequestT]
    entity: Callable[[RequestT], Key] | None = None
    default_key: Key | None = None
    prediction: type[BaseModel] | None = None
    extra: type[BaseModel] | None = None
    notes: type[BaseModel] | None = None
    examples: Mapping[str, Example] = field(default_factory=dict, hash=False)
    request_of: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
