"""Medians over rounds, and of ratios within a round, as a table; and the bars beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.online.peers.ours import CACHED, SCORED
from benchmarks.online.peers.rounds import Round, Turn

BARE = "bare"

Of = Callable[[Turn], float]


def per_second(connections: int) -> Of:
    return lambda turn: turn.loads[connections].per_second


def p50(connections: int) -> Of:
    return lambda turn: turn.loads[connections].p50_ms


def p99(connections: int) -> Of:
    return lambda turn: turn.loads[connections].p99_ms


def ratio(rounds: Sequence[Round], of: Of, name: str, other: str) -> float | None:
    """The median of the ratios of two servers within a round; None where one was not measured."""
    if not rounds or {name, other} - rounds[0].keys():
        return None
    return median(of(turns[name]) / of(turns[other]) for turns in rounds)


COLUMNS: dict[str, Of] = {
    "per_second_8": per_second(8),
    "p50_ms_8": p50(8),
    "p99_ms_8": p99(8),
    "per_second_1": per_second(1),
    "p50_ms_1": p50(1),
    "p99_ms_1": p99(1),
    "worker_rss_mib": lambda turn: turn.worker.rss,
    "worker_pss_mib": lambda turn: turn.worker.pss,
}
BESIDE_BARE = [name for name in COLUMNS if not name.startswith("worker")]


@dataclass(frozen=True)
class Bar:
    """``limit`` is the least where ``least``, else the most; beside ``other``, or by itself."""

    what: str
    of: Of
    name: str
    limit: float
    least: bool = False
    other: str | None = None

    def found(self, rounds: Sequence[Round]) -> float | None:
        if self.other is not None:
            return ratio(rounds, self.of, self.name, self.other)
        if not rounds or self.name not in rounds[0]:
            return None
        return median(self.of(turns[self.name]) for turns in rounds)

    def holds(self, found: float) -> bool:
        return found >= self.limit if self.least else found <= self.limit


def _rate(name: str, other: str, limit: float) -> Bar:
    what = f"requests/s of {name}, × {other}, 8 connections"
    return Bar(what, per_second(8), name, limit, least=True, other=other)


BARS = (
    _rate(SCORED, BARE, 0.75),
    _rate(CACHED, BARE, 1.0),
    _rate(SCORED, "fastapi", 1.4),
    _rate(SCORED, "mlserver", 5),
    _rate(SCORED, "bentoml", 5),
    _rate(SCORED, "ray", 5),
    _rate(SCORED, "mlflow_tensor", 50),
    _rate(SCORED, "mlflow_frame", 50),
    Bar(f"p99 of {SCORED}, × {BARE}, 8 connections", p99(8), SCORED, 2, other=BARE),
    Bar(f"p50 of {SCORED}, × {BARE}, 1 connection", p50(1), SCORED, 1.5, other=BARE),
    Bar("memory of our worker, MiB resident", lambda turn: turn.worker.rss, SCORED, 250),
)


def summary(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """By server: the median of each column, and of its ratios to the bare route."""
    names = sorted(rounds[0], key=lambda name: -per_second(8)(rounds[0][name]))
    found = {}
    for name in names:
        found[name] = {
            column: median(of(turns[name]) for turns in rounds) for column, of in COLUMNS.items()
        }
        for column in BESIDE_BARE:
            beside = ratio(rounds, COLUMNS[column], name, BARE)
            if beside is not None:
                found[name][f"{column}_to_bare"] = beside
    return found


HEAD = (
    "| server | 8 connections: requests/s | × bare | p50, ms | p99, ms | × bare | "
    "1 connection: requests/s | × bare | p50, ms | × bare | p99, ms | a worker, MiB: RSS | PSS |"
)
SHOWN = (
    ("per_second_8", ",.0f"),
    ("per_second_8_to_bare", ".2f"),
    ("p50_ms_8", ".2f"),
    ("p99_ms_8", ".2f"),
    ("p99_ms_8_to_bare", ".2f"),
    ("per_second_1", ",.0f"),
    ("per_second_1_to_bare", ".2f"),
    ("p50_ms_1", ".2f"),
    ("p50_ms_1_to_bare", ".2f"),
    ("p99_ms_1", ".2f"),
    ("worker_rss_mib", ".0f"),
    ("worker_pss_mib", ".0f"),
)


def tables(rounds: Sequence[Round], versions: dict[str, str], about: dict[str, Any]) -> str:
    """Markdown: the servers, the bars, the versions."""
    lines = [
        f"{about['date']}, commit {about['commit']}; {about['machine']}; {len(rounds)} round(s) of "
        f"{about['seconds']:g} s each way, medians.",
        "",
        HEAD,
        "|---|" + "---:|" * len(SHOWN),
    ]
    for name, row in summary(rounds).items():
        cells = [format(row[column], form) if column in row else "" for column, form in SHOWN]
        lines.append(f"| {' | '.join([name, *cells])} |")
    lines += ["", "| bar | | found | |", "|---|---:|---:|---|"]
    for bar in BARS:
        found = bar.found(rounds)
        limit = f"{'≥' if bar.least else '≤'} {bar.limit:g}"
        if found is None:
            lines.append(f"| {bar.what} | {limit} | not measured | |")
        else:
            lines.append(
                f"| {bar.what} | {limit} | {found:.2f} | {'✓' if bar.holds(found) else '✗'} |"
            )
    lines += ["", *(f"- {name}: {of}" for name, of in versions.items())]
    return "\n".join(lines)
