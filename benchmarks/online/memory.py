"""What the workers of the service hold in memory, over half a million requests of all kinds:

python -m benchmarks.online.memory --requests 500000

Starts a PostgreSQL and a service of two workers of its own. Of ten requests four are scored at
another price each, two were answered before, one has ten rows, one is about an item that nobody
knows, one is wrong and one has no key in force. What a worker holds is its proportional share of
memory (PSS), after a warm-up and then after every 20,000 requests. The warm-up asks about other
prices only, so often that as many answers are kept as may be.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import psutil

from benchmarks.online.drill import Served, arguments_of, say, served, verdicts
from benchmarks.online.load import Asking, in_turn
from benchmarks.online.witness import Question

CONNECTIONS = 8
ROWS = KINDS = 10
FLAT = 0.05
"""The bar: growth from the median of the first third to that of the last."""


@dataclass(frozen=True)
class Everything:
    """Requests by number, every ``step``-th of those that are of all kinds in turn."""

    asking: Asking
    questions: Sequence[Question]
    step: int = 1

    def __call__(self, number: int) -> bytes:
        number *= self.step
        store, item, date = self.questions[number // KINDS % len(self.questions)]
        if number % KINDS == 7:
            item = f"nobody-{number}"
        row = f'"store_id":"{store}","item_id":"{item}","target_date":"{date}"'
        price = f'"price":{1 + number / 10**6:.6f}'
        match number % KINDS:
            case 0 | 1 | 2 | 3:
                body = f"{{{row},{price}}}"
            case 4 | 5 | 7:
                body = f"{{{row}}}"
            case 6:
                body = f'{{"rows":[{",".join([f"{{{row},{price}}}"] * ROWS)}]}}'
            case 8:
                body = f'{{{row},"price":"{number}"}}'
            case _:
                return Asking(0, self.asking.path, "dbk_0_0").request(f"{{{row}}}".encode())
        return self.asking.request(body.encode())


def measure(
    served: Served, requests: int, warm: int = 60_000, every: int = 20_000
) -> dict[str, Any]:
    """Ask, and look at the memory of each worker after ``warm`` and each further ``every``."""
    answers: Counter[str] = Counter()
    held: dict[int, list[int]] = {}
    warming = Everything(served.asking, served.questions, step=KINDS)
    asked = Everything(served.asking, served.questions)
    done = 0
    with ProcessPoolExecutor(1) as pool:
        while done < warm + requests:
            count = min(every if done else warm, warm + requests - done)
            of = asked if done else warming
            ask = partial(in_turn, served.asking, of, CONNECTIONS, count=count, first=done)
            answers.update(map(str, pool.submit(ask).result().status.tolist()))
            done += count
            for worker in workers():
                held.setdefault(worker.pid, []).append(worker.memory_full_info().pss)
            say(f"{done}: {[pss[-1] >> 20 for pss in held.values()]} MiB")
    return judged(held, answers, requests)


def workers() -> list[psutil.Process]:
    """The workers of the one gunicorn that this process started."""
    (master,) = [
        child for child in psutil.Process().children() if "gunicorn" in " ".join(child.cmdline())
    ]
    return sorted(master.children(), key=lambda one: one.pid)


def judged(held: dict[int, list[int]], answers: dict[str, int], requests: int) -> dict[str, Any]:
    """Growth of each worker; ``held``: its bytes in order."""
    growth = []
    for each in held.values():
        third = max(len(each) // 3, 1)
        growth.append(median(each[-third:]) / median(each[:third]) - 1)
    return {
        "requests": requests,
        "answers": dict(sorted(answers.items())),
        "mebibytes": [[round(pss / 2**20, 1) for pss in each] for each in held.values()],
        "growth": [round(one, 4) for one in growth],
        "held": {"memory": max(growth) < FLAT, "no worker was replaced": len(held) == 2},
    }


def report(found: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{found['requests']} requests, answers by status {found['answers']}"]
    for pss, growth in zip(found["mebibytes"], found["growth"], strict=True):
        lines.append(f"a worker held {pss[0]} MiB, then {pss[-1]}: {growth:+.1%}")
    lines += verdicts(found["held"])
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("memory", __doc__)
    parser.add_argument("--requests", type=int, default=500_000, help="after the warm-up")
    options = parser.parse_args(arguments)
    with served() as made:
        found = measure(made, options.requests)
    print(json.dumps(found) if options.json else report(found))


if __name__ == "__main__":
    main()
