"""Is each lock file in step with the list it was made from? Needs no network.

A name in the list has to be pinned in the lock with a version that the list allows, and nothing
may be pinned on behalf of the list that is no longer in it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAIRS = (("requirements.in", "requirements.txt"), ("requirements-dev.in", "requirements-dev.txt"))


def faults(listed: Path, locked: Path) -> list[str]:
    """What differs, one line a fault."""
    wanted = [
        Requirement(line)
        for raw in listed.read_text().splitlines()
        if (line := raw.split("#")[0].strip()) and not line.startswith("-")
    ]
    pins: dict[str, list[str]] = {}
    on_behalf = set()
    name = ""
    for line in locked.read_text().splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", line):
            name = canonicalize_name(pin[1])
            pins.setdefault(name, []).append(pin[2])
        elif re.search(rf"-r {re.escape(listed.name)}$", line):
            on_behalf.add(name)
    found = []
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        found += [
            f"{locked.name}: {name}=={version}, but {listed.name} asks for {requirement.specifier}"
            for version in pins.get(name, [])
            if not requirement.specifier.contains(version, prereleases=True)
        ]
        if name not in on_behalf:
            found.append(f"{locked.name}: {name} of {listed.name} is missing")
    gone = on_behalf - {canonicalize_name(requirement.name) for requirement in wanted}
    return found + [f"{locked.name}: {name} is no longer in {listed.name}" for name in sorted(gone)]


def main() -> int:
    """Exit code 1 and a remedy where a pair differs."""
    root = Path(__file__).parents[1]
    found = [fault for pair in PAIRS for fault in faults(root / pair[0], root / pair[1])]
    for fault in found:
        print(fault)
    if found:
        print("Run `make lock`.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
