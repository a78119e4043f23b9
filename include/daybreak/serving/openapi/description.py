"""What the OpenAPI document says of a view; it stands beside the view, as the path does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])
JSON = "application/json"
_DESCRIPTION = "_daybreak_description"


@dataclass(frozen=True)
class Description:
    """One operation; path, method and whether it is open follow from the route itself.

    ``operation``: its id, which generated clients name a method by; of a view that answers for each
    model, the model's name is added. ``answer``: form of a 200; None: ``media`` is all that is said
    of it. ``body``: form of the request. ``query``: of what its address may say. ``by_address``:
    of a view that answers for each model, whose request is in the address. ``faults``:
    statuses beside those that follow from the rest (``openapi.faults``). ``waits``: for a thread of
    the app, so that it is refused where too many wait. ``links``: by operation that may follow, its
    parameters as runtime expressions.
    """

    operation: str
    tag: str
    answer: type[BaseModel] | None = None
    media: str = JSON
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    each_model: bool = False
    by_address: bool = False
    faults: Sequence[int] = ()
    waits: bool = True
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def described(operation: str, tag: str, **more: Any) -> Callable[[View], View]:
    """Describe a view by the fields of ``Description``; its summary is the first line of its
    docstring."""
    description = Description(operation, tag, **more)

    def mark(view: View) -> View:
        setattr(view, _DESCRIPTION, description)
        return view

    return mark


def description_of(view: Callable[..., Any]) -> Description | None:
    """What was said of a view; None of one that the document leaves out."""
    return cast("Description | None", getattr(view, _DESCRIPTION, None))
