"""What the platform in a state folder was last started with.

``daybreak up --dataset NAME`` in one shell, and ``daybreak score`` in the next, have to mean the
same warehouse. The environment always wins.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daybreak.platform.folder import StateFolder
    from daybreak.settings import Settings

FIELDS = ("dataset", "dataset_path", "schedule")


def remember(settings: Settings, folder: StateFolder) -> None:
    """Write down the settings for the following commands."""
    anchored = settings.anchored()  # the next command may be given in another folder
    chosen = {field: getattr(anchored, field) for field in FIELDS}
    _file(folder.root).write_text(json.dumps(chosen))


def recall_environment() -> None:
    """Fill ``DAYBREAK_DATASET`` and related settings from the state folder where they are unset.

    All or none: with a data set in the environment, the path of another one is not recalled.
    Reads no settings, so that ``daybreak --help`` stays quick and works with a wrong one.
    """
    if os.environ.get("DAYBREAK_DATASET") or os.environ.get("DAYBREAK_DATASET_PATH"):
        return
    home = Path(os.environ.get("DAYBREAK_HOME") or ".daybreak").expanduser()
    try:
        chosen = json.loads(_file(home).read_text())
    except (OSError, ValueError):
        return
    for field in FIELDS:
        if chosen.get(field) is not None:
            os.environ.setdefault(f"DAYBREAK_{field.upper()}", str(chosen[field]))


def forget_environment() -> None:
    """Drop what was recalled: another data set was asked for by name."""
    for field in FIELDS:
        os.environ.pop(f"DAYBREAK_{field.upper()}", None)


def _file(root: Path) -> Path:
    return root / "platform.json"
