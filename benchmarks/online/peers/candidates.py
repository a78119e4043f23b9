"""A server to be measured: how it is started, what it is asked, and what it has to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

import numpy as np

from benchmarks.online.peers.load import Questions

CHECKED = 16
"""Requests, the first ones, whose answers are compared before a server is measured."""


@dataclass(frozen=True)
class Candidate:
    """``versions``: of what it runs on. ``expected``: the scores that the first requests have to be
    answered by, as float32; ``scores`` finds them in an answer."""

    name: str
    versions: str
    command: Callable[[int], Sequence[str]]
    env: Mapping[str, str]
    asked: Questions
    expected: Sequence[Sequence[float]]
    scores: Callable[[Any], Sequence[float]]

    def ready(self, port: int) -> bool:
        """Whether it answers."""
        with suppress(OSError, HTTPException):
            return self._ask(port, 0)[0] == 200
        return False

    def check(self, port: int) -> None:
        """Raises ``AssertionError`` where an answer is another one than expected."""
        for number, expected in enumerate(self.expected):
            status, answer = self._ask(port, number)
            if status != 200:
                raise AssertionError(f"{self.name} answered {status}: {answer!r}")
            found = self.scores(json.loads(answer))
            if np.float32(found).tolist() != np.float32(expected).tolist():
                raise AssertionError(f"{self.name} answered {found}, expected were {expected}")

    def _ask(self, port: int, number: int) -> tuple[int, bytes]:
        body = self.asked.body(number)
        headers = {"Content-Type": "application/json", **self.asked.headers}
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST" if body else "GET", self.asked.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
