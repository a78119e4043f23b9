"""What people do from the page: the functions of the command line, with who did it and why.

Where the process may not write what they do, as in a replica of the prediction service that has
rights of its own, they raise ``Forbidden``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, cast

from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import DBAPIError

from daybreak.errors import Forbidden, InvalidRequest
from daybreak.jobs import approving, publishing
from daybreak.jobs.promoting import checked_reason, promote
from daybreak.runtime import Runtime, get_runtime


class ByHand:
    """Implements ``serving.page.acts.Acts``, with the rights of the jobs.

    ``runtime``: None: that of the process, made at the first use.
    """

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._given = runtime

    @property
    def _runtime(self) -> Runtime:
        return self._given or get_runtime()

    def promote(self, model: str, version: str, reason: str, *, person: str) -> Mapping[str, Any]:
        """As ``daybreak models promote``."""
        with _rights():
            return promote(model, version, reason, actor=person, runtime=self._runtime)

    def roll_back(
        self, model: str, business_date: date, reason: str, *, person: str
    ) -> Mapping[str, Any]:
        """As ``daybreak rollback``."""
        said = f"{person}: {checked_reason(reason)}"
        with _rights():
            return publishing.rollback(model, business_date, self._runtime, reason=said)

    def asked(self, generation_id: int) -> Mapping[str, Any]:
        """What ``daybreak generations approve`` answers, and of which model and day."""
        with _rights():
            waiting = approving.generation_to_decide(generation_id, self._runtime)
            asked = approving.ask(waiting, self._runtime)
        return {"model": waiting["model"], "business_date": waiting["business_date"], **asked}

    def answer(
        self, generation_id: int, answer: str, reason: str, most: int | None, *, person: str
    ) -> Mapping[str, Any] | None:
        """As ``daybreak generations approve`` and ``reject``."""
        if answer not in {"approve", "cap", "reject"}:
            raise InvalidRequest(
                "The answer is none of approve, cap and reject.",
                remedy="Choose one on the page.",
                field="answer",
            )
        with _rights():
            return approving.answer(
                generation_id,
                cast("approving.Answer", answer),
                person=person,
                reason=checked_reason(reason),
                most=most,
                runtime=self._runtime,
            )


@contextmanager
def _rights() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise Forbidden(
            "This process may not write what is in force.",
            remedy="Use the page in Airflow, or the command `daybreak`: they have the rights of "
            "the jobs.",
        ) from None
