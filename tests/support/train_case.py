"""Train a case of ``model_cases`` in a process of its own, and print the sha256 of each part.

usage: python train_case.py NAME WAREHOUSE_URL, with tests/support on the path.
"""

from __future__ import annotations

import json
import sys

from daybreak.models.base import Trained
from daybreak.registry.registry import BOOSTER, MANIFEST, canonical_json, sha256
from daybreak.warehouse.engine import connect, make_engine
from model_cases import case_of, outside_installed
from model_shop import AS_OF


def fingerprints(trained: Trained) -> dict[str, str]:
    """By file name."""
    parts = {MANIFEST: canonical_json(trained.manifest), **trained.files}
    if trained.booster is not None:
        parts[BOOSTER] = trained.booster
    return {name: sha256(data) for name, data in parts.items()}


if __name__ == "__main__":
    with outside_installed(), connect(make_engine(sys.argv[2])) as conn:
        print(json.dumps(fingerprints(case_of(sys.argv[1]).train(conn, AS_OF))))
