"""The file of a data set and its top-level keys, without the rest.

Imports nothing heavy: Airflow calls this whenever it parses the DAGs, and reading and checking the
whole file takes a second.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import yaml

from daybreak.errors import DatasetError
from daybreak.interval import WEEKDAYS

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def dataset_names() -> tuple[str, ...]:
    """The data sets that ship with Daybreak."""
    return tuple(sorted(path.stem for path in _shipped().glob("*.yaml")))


def dataset_file(name_or_path: str | Path) -> Path:
    """The file of a data set by name, or by path. Raises ``DatasetError`` where there is none."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        file = Path(text).expanduser()
        remedy = "Check the path."
    else:
        file = _shipped() / f"{text}.yaml"
        close = get_close_matches(text, dataset_names(), n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        remedy = f"{hint}Known: {', '.join(dataset_names())}; or give the path of a .yaml file."
    if not file.is_file():
        raise DatasetError(f"There is no data set {text!r}.", remedy=remedy, dataset=text)
    return file


def keys_of(name_or_path: str | Path) -> frozenset[str] | None:
    """The keys of a data set that hold something, the names of its sections among them.

    None where the file cannot be read: the load says why.
    """
    content = _content(name_or_path)
    return None if content is None else frozenset(str(key) for key, it in content.items() if it)


def last_weekday_of(name_or_path: str | Path) -> int | None:
    """On which weekday the weeks of a data set end, 0 is Monday; None where it has no weeks."""
    calendar = (_content(name_or_path) or {}).get("calendar")
    if not isinstance(calendar, dict) or calendar.get("period") != "week":
        return None
    starts = calendar.get("week_starts", WEEKDAYS[0])
    return (WEEKDAYS.index(starts) - 1) % 7 if starts in WEEKDAYS else None


def _content(name_or_path: str | Path) -> dict[Any, Any] | None:
    try:
        content = yaml.load(dataset_file(name_or_path).read_bytes(), Loader=_LOADER)  # noqa: S506
    except (DatasetError, OSError, ValueError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) else None


def _shipped() -> Path:
    return Path(str(package_files("daybreak") / "datasets"))
