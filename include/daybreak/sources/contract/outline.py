"""Which file a data set is and which keys it has, without a look at what stands below them.

Imports nothing heavy: Airflow asks this whenever it parses the DAGs, which must not cost the second
that reading and checking the whole file takes.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files as package_files
from pathlib import Path

import yaml

from daybreak.errors import DatasetError

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

    None where the file cannot be read: whoever loads it says why.
    """
    try:
        content = yaml.load(dataset_file(name_or_path).read_bytes(), Loader=_LOADER)  # noqa: S506
    except (DatasetError, OSError, ValueError, yaml.YAMLError):
        return None
    if not isinstance(content, dict):
        return None
    return frozenset(str(name) for name, value in content.items() if value)


def _shipped() -> Path:
    return Path(str(package_files("daybreak") / "datasets"))
