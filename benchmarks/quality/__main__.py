"""How good forecasts and lists are over many shops, beside the usual methods, as Markdown.

Real data are looked for in the folder that DAYBREAK_TEST_DATA names, else in ../shared/data; sets
whose files are not there are left out, and the first lines say so.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.compare import beside, compare
from benchmarks.quality.report import forecast_tables
from benchmarks.quality.report_lists import list_tables
from benchmarks.quality.run import measure_sales
from benchmarks.quality.run_lists import measure_lists
from benchmarks.quality.sets import ListsSet, SalesSet
from benchmarks.quality.sets.chains import CHAINS
from benchmarks.quality.sets.people import PEOPLE
from benchmarks.quality.sets.real import SALES
from benchmarks.quality.sets.shop import SHOP
from benchmarks.quality.warehouse import Settings, server
from daybreak.models.base import Progress

ROOT = Path(__file__).parents[2]
SETS: tuple[SalesSet | ListsSet, ...] = (*SALES, SHOP, *CHAINS, *PEOPLE)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in SETS]
    parser.add_argument("--only", type=_listed, help=f"data sets, of {','.join(names)}")
    parser.add_argument("--methods", type=_listed, help="other methods; none: '' (ours always run)")
    parser.add_argument("--origins", type=int, help="only so many of the last origins of each set")
    parser.add_argument("--seed", type=int, default=7, help="of our training")
    parser.add_argument(
        "--history", type=int, metavar="N", help="sales: as if shops had begun N days (weeks) ago"
    )
    parser.add_argument("--json", action="store_true", help="all numbers instead of tables")
    parser.add_argument("--out", type=Path, help="write the JSON here too, set by set")
    parser.add_argument("--cache", type=Path, default=ROOT / ".benchmarks" / "quality")
    parser.add_argument(
        "--tables", type=Path, metavar="A.json", help="the tables of earlier numbers; runs nothing"
    )
    parser.add_argument(
        "--others", type=Path, metavar="B.json", help="with --tables: other methods of B, ours of A"
    )
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A.json", "B.json"), help="before and after"
    )
    options = parser.parse_args(arguments)
    if options.compare:
        print(compare(*map(_read, options.compare)))
        return
    if options.others and not options.tables:
        parser.error("--others goes with --tables")
    if options.tables:
        result = _read(options.tables)
        print(tables(beside(_read(options.others), result) if options.others else result))
        return
    if unknown := set(options.only or ()) - set(names):
        parser.error(f"there is no data set {', '.join(sorted(unknown))}; there are {names}")
    result = measure(options)
    print(json.dumps(result) if options.json else tables(result))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every set in turn."""
    data = Path(os.environ.get("DAYBREAK_TEST_DATA") or ROOT.parent / "shared" / "data").absolute()
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {line}", file=sys.stderr, flush=True)

    chosen = [one for one in SETS if options.only is None or one.name in options.only]
    absent = [one.name for one in chosen if one.needs and not (data / one.needs).exists()]
    if absent:
        progress(f"Left out, as {data} does not have their files: {', '.join(absent)}")
    result: dict[str, Any] = {"about": _about(), "left_out": absent, "sets": {}}
    cache: Path = options.cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time in a folder
        with server(cache / "home") as running:
            for one in chosen:
                if one.name not in absent:
                    result["sets"][one.name] = _measured(
                        one, running, data, cache, progress, options=options
                    )
                    if options.out:
                        options.out.write_text(json.dumps(result), encoding="utf-8")
    result["about"]["seconds"] = round(time.monotonic() - started)
    if options.out:
        options.out.write_text(json.dumps(result), encoding="utf-8")
    return result


def _measured(
    one: SalesSet | ListsSet,
    running: Settings,
    data: Path,
    cache: Path,
    progress: Progress,
    *,
    options: argparse.Namespace,
) -> dict[str, Any]:
    chosen = {"methods": options.methods, "most": options.origins, "seed": options.seed}
    if isinstance(one, SalesSet):
        more = {**chosen, "history": options.history}
        return measure_sales(one, running, data, cache, progress, **more)
    return measure_lists(one, running, data, cache, progress, **chosen)


def tables(result: dict[str, Any]) -> str:
    """The report of a result."""
    about = result["about"]
    head = f"{about['date']}, commit {about['commit']}; {about['machine']}"
    sales, lists = (
        {name: of for name, of in result["sets"].items() if of["kind"] == kind}
        for kind in ("sales", "lists")
    )
    return "\n\n".join([head, forecast_tables(sales), list_tables(lists)])


def _about() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
    }


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    main()
