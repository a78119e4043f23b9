"""An answer is given again for the same request of the same generation, and for no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, cast

import orjson
import psutil
import pytest
from pydantic import BaseModel

from daybreak.errors import NotFound
from daybreak.ledger.generations import Generation
from daybreak.serving.answers import Answered
from daybreak.serving.publications import Publication
from daybreak.serving.remembered import LONGEST, Remembered


class Asked(BaseModel):
    item: str
    price: float | None = None


def publication(number: int = 1, version: str = "v1", gate: str = "passed") -> Publication:
    known = {"generation_id": number, "business_date": date(2026, 2, 1), "version": version}
    generation = cast(Generation, type("Known", (), {**known, "cutoff": datetime.now(UTC)})())
    return Publication(version, generation, cast(Any, None), cast(Any, None), cast(Any, gate))


class Answers:
    """Makes another answer each time."""

    def __init__(self, **options: int) -> None:
        self.remembered, self.made = Remembered(**options), 0

    def of(self, of: Publication, asked: BaseModel, model: str = "toy") -> bytes:
        make = partial(self.make, model, of.version)
        answered = self.remembered.answer(model, of, asked, make)
        assert answered[1:4] == (model, of.version, "live"), "also where it was given before"
        return answered.json

    def make(self, model: str, version: str) -> Answered:
        self.made += 1
        return Answered(b"%d" % self.made, model, version, "live")


def test_the_same_question_is_answered_once() -> None:
    answers, now = Answers(), publication()
    first = answers.of(now, Asked.model_validate_json('{"item": "pear", "price": 2}'))
    again = answers.of(now, Asked.model_validate_json('{"price": 2.0,"item":"pear"}'))
    assert first == again == b"1"
    assert (answers.remembered.hits, answers.remembered.misses) == (1, 1)


def test_whatever_an_answer_follows_from_tells_it_apart() -> None:
    answers, pear = Answers(), Asked(item="pear")
    questions = [
        (publication(), pear, "toy"),
        (publication(), pear, "other"),
        (publication(2), pear, "toy"),
        (publication(version="v2"), pear, "toy"),
        (publication(gate="refused"), pear, "toy"),
        (publication(), Asked(item="pear", price=None), "toy"),
        (publication(), Asked(item="pear", price=2.0), "toy"),
        (publication(), Asked(item="apple"), "toy"),
    ]
    assert len({answers.of(*one) for one in questions}) == len(questions)
    assert len({answers.of(*one) for one in questions}) == len(questions)
    assert answers.made == len(questions)


def test_what_is_of_a_moment_or_very_long_or_an_error_is_not_kept() -> None:
    answers = Answers()
    of_a_moment = replace(publication(), generation=None)
    for _ in range(2):
        answers.of(of_a_moment, Asked(item="pear"))
        answers.of(publication(), Asked(item="x" * LONGEST))
    assert answers.made == 4

    def fails() -> Answered:
        raise NotFound("No such item.")

    with pytest.raises(NotFound):
        answers.remembered.answer("toy", publication(), Asked(item="fig"), fails)
    assert answers.of(publication(), Asked(item="fig")) == b"5"


def test_the_least_recently_asked_goes_first() -> None:
    answers, now = Answers(capacity=1000), publication()  # two of them
    for item in ("apple", "pear", "apple", "fig"):
        answers.of(now, Asked(item=item))
    assert answers.made == 3
    answers.of(now, Asked(item="apple"))
    assert answers.made == 3
    answers.of(now, Asked(item="pear"))
    assert answers.made == 4


@pytest.mark.slow
def test_what_is_kept_takes_hardly_more_than_is_counted() -> None:
    """The text of an answer was the beginning of a block of 4 kB: 16 MB took 180."""
    remembered, before = Remembered(capacity := 4 << 20), resident()
    for number in range(40_000):
        text = orjson.dumps({"scores": [number] * 50})
        made = Answered(text, "toy", "v1", "live")
        asked = Asked(item=f"{number:0100}")
        remembered.answer("toy", publication(), asked, lambda made=made: made)  # type: ignore[misc]
    assert resident() - before < 2 * capacity


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(psutil.Process().memory_info().rss)
