"""What drills share: a service that is asked, and how they say what they found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.facts import CUTOFF
from benchmarks.online.load import Asking
from benchmarks.online.service import service
from benchmarks.online.shop import Shop, Size, shop
from benchmarks.online.witness import Question
from daybreak.jobs.publishing import publish
from daybreak.models.sales_forecast.model import MODEL
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin


@dataclass(frozen=True)
class Served:
    """A shop whose first generation is published, and how to ask about its ``questions``."""

    shop: Shop
    asking: Asking
    questions: list[Question]


@contextmanager
def served() -> Iterator[Served]:
    """A PostgreSQL and a service of two workers."""
    with shop(Size(), offsets=(0.0, 0.5)) as made:
        publish(made.stage(), made.runtime)
        with begin(made.runtime.engine) as conn:
            key = create_key(conn, "bench", CUTOFF).token
        with service(made.runtime) as port:
            asking = Asking(port, f"/v1/models/{MODEL.name}/predict", key)
            yield Served(made, asking, sorted(made.scores(1)))


def say(what: str) -> None:
    """How far it is; apart from the result."""
    print(what, file=sys.stderr, flush=True)


def verdicts(held: Mapping[str, bool]) -> list[str]:
    """A line for each bar."""
    return [f"{'held:    ' if one else 'NOT HELD:'} {bar}" for bar, one in held.items()]


def arguments_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with ``--json`` for a drill of this name."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.online.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="all figures")
    return parser
