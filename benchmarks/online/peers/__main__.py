"""Our service beside other servers of one booster, with wrk, in alternating rounds:

python -m benchmarks.online.peers

300 trees of depth 8 and two workers each; benchmarks/README.md says more. Needs wrk, and, the
first time, an index of packages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.environments import environment
from benchmarks.online.peers import load
from benchmarks.online.peers import ours as daybreak
from benchmarks.online.peers.booster import TREES
from benchmarks.online.peers.others import PEERS, REQUIREMENTS, others
from benchmarks.online.peers.report import summary, tables
from benchmarks.online.peers.rounds import measure_rounds
from daybreak.errors import ConfigError

ROOT = Path(__file__).parents[3]
NAMES = (*(peer.name for peer in PEERS), *daybreak.NAMES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or one JSON object."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.online.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--cache", type=Path, default=ROOT / ".benchmarks" / "online")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        load.wrk()
    except ConfigError as error:
        parser.error(str(error))
    print(measure(options))


def measure(options: argparse.Namespace) -> str:
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {line}", file=sys.stderr, flush=True)

    def python(lock: str) -> Path:
        pinned = REQUIREMENTS / f"{lock}.txt"
        return environment(pinned, options.cache.absolute(), lock, progress)

    about = _about() | {"seconds": options.seconds}
    with TemporaryDirectory(prefix="dbk-bench-") as folder:
        candidates = others(options.only, python, Path(folder), TREES)
        with daybreak.ours(options.only) as ours:
            candidates += ours
            rounds = measure_rounds(
                candidates, options.rounds, options.seconds, load.measure, progress
            )
    versions = {one.name: one.versions for one in candidates}
    if not options.json:
        return tables(rounds, versions, about)
    each = [{name: asdict(turn) for name, turn in turns.items()} for turns in rounds]
    return json.dumps(
        {"about": about, "versions": versions, "medians": summary(rounds), "rounds": each}
    )


def _about() -> dict[str, Any]:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit or "unknown",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    main()
