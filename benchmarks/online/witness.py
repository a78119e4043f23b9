"""Clients that write down every answer, and what is wrong with what they saw."""

from __future__ import annotations

import asyncio
import json
import random
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from daybreak.serving.canary import drawn

Question = tuple[str, str, str]
"""Store, item and date."""
Scores = tuple[float, ...]
Tables = Mapping[str, Mapping[Question, Scores]]
"""By version: what batch wrote for each question."""


class Answer(NamedTuple):
    """What a client was told, and when it asked and heard (seconds since 1970)."""

    asked: float
    heard: float
    status: int
    question: Question
    generation: int = 0
    version: str = ""
    scores: Scores = ()


class State(NamedTuple):
    """What answers from ``moment`` on, and when the change to it was committed."""

    moment: float
    committed: float
    generation: int
    version: str
    canary: tuple[str, float] | None

    def version_for(self, question: Question) -> str:
        if self.canary is not None and drawn(self.canary[0], question[:2], self.canary[1]):
            return self.canary[0]
        return self.version


@dataclass(frozen=True)
class Client:
    """Asks over two connections in turn, which it keeps, so that both workers answer it."""

    port: int
    path: str
    key: str
    questions: Sequence[Question]
    names: Sequence[str]

    def watch(self, clients: int, until: float) -> list[list[Answer]]:
        """What each of so many clients saw; a process of its own runs it."""

        async def all_at_once() -> list[list[Answer]]:
            return await asyncio.gather(*(self._watch(seed, until) for seed in range(clients)))

        return asyncio.run(all_at_once())

    async def _watch(self, seed: int, until: float) -> list[Answer]:
        draw, seen = random.Random(seed), []
        pairs = [await asyncio.open_connection("127.0.0.1", self.port) for _ in range(2)]
        while time.time() < until:
            for reader, writer in pairs:
                question = draw.choice(self.questions)
                asked = time.time()
                writer.write(self._request(question))
                status, body = await _response(reader)
                seen.append(self._answer(asked, status, question, body))
        for _, writer in pairs:
            writer.close()
        return seen

    def _request(self, question: Question) -> bytes:
        body = json.dumps(dict(zip(("store", "item", "date"), question, strict=True)))
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def _answer(self, asked: float, status: int, question: Question, body: bytes) -> Answer:
        heard = time.time()
        if status != 200:
            return Answer(asked, heard, status, question)
        found = json.loads(body)
        (row,) = found["predictions"]
        scores = tuple(row[name] for name in self.names)
        return Answer(asked, heard, status, question, found["generation"], found["version"], scores)


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    return int(head[9:12]), await reader.readexactly(length)


@dataclass
class Judgement:
    """``failed``: no 200. ``mixed``: scores that are not those of version and generation, or both
    never belonged together. ``backward``: from before what the same client had been told already.
    ``late``: seconds after the commit of a change at which somebody was last told what was before.
    ``apart``: seconds beside its moment at which a change was seen too early or too late.
    """

    answers: int = 0
    failed: int = 0
    mixed: int = 0
    backward: int = 0
    late: float = 0.0
    apart: float = 0.0
    reached: set[int] = field(default_factory=set)

    def take(self, seen: Sequence[Answer], states: Sequence[State], tables: Tables) -> None:
        """Judge what one client saw, in its order."""
        moments = [state.moment for state in states]
        reached = 0
        for one in seen:
            self.answers += 1
            if one.status != 200:
                self.failed += 1
                continue
            fits = [place for place, state in enumerate(states) if _fits(one, state)]
            if not fits or tables[one.version][one.question] != one.scores:
                self.mixed += 1
                continue
            # A state may come again: of those that it can have been, it was the last.
            begun = bisect_right(moments, one.heard)
            place = max((place for place in fits if place < begun), default=fits[0])
            self.backward += place < reached
            reached = max(reached, place)
            self.reached.add(place)
            self.apart = max(self.apart, moments[place] - one.heard)
            if place + 1 < len(states):
                self.apart = max(self.apart, one.asked - moments[place + 1])
                self.late = max(self.late, one.asked - states[place + 1].committed)


def _fits(one: Answer, state: State) -> bool:
    return one.generation == state.generation and one.version == state.version_for(one.question)


def states_of(
    served: Sequence[Any], trials: Sequence[Any], committed: Sequence[float]
) -> Iterator[State]:
    """The states by moment, from the rows of ``ops.serving`` with the version of each generation
    and of ``ops.trial``, and from when each change was committed, in order."""
    canary: tuple[str, float] | None = None
    generation, version = 0, ""
    changes = sorted([*served, *trials], key=lambda row: row.serve_from)
    for row, moment in zip(changes, committed, strict=True):
        if hasattr(row, "generation_id"):
            generation, version = row.generation_id, row.version
        else:
            canary = None if row.version is None else (row.version, row.share)
        yield State(row.serve_from.timestamp(), moment, generation, version, canary)
