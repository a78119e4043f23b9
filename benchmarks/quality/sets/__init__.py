"""The data sets: files and a YAML as a user would write it, and where their origins lie."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import daybreak

Prepare = Callable[[Path, Path], str]
"""Writes files into the first folder, of what is in the second (the real data), and gives the YAML.

A file ``truth.parquet`` (business_date, store_id, item_id, mean, dispersion) is for judging alone.
"""


@dataclass(frozen=True)
class DataSet:
    """``needs``: a file of the real data without which it is left out; "" where it is made here."""

    name: str
    prepare: Prepare
    needs: str = ""


@dataclass(frozen=True)
class SalesSet(DataSet):
    """``horizon``: selling periods ahead that count. ``origins``: how many, ``apart`` periods from
    one to the next, the last one as late as the longest horizon allows. ``items``: best sellers.
    """

    horizon: int = 28
    origins: int = 3
    apart: int = 84
    items: int = 300


@dataclass(frozen=True)
class ListsSet(DataSet):
    """``windows``: weeks of which each is predicted as of the day before, ``apart`` days apart."""

    windows: int = 3
    apart: int = 14
    users: int = 2000


def prepared(one: DataSet, data: Path, cache: Path) -> Path:
    """The YAML file of a set in a folder of its own, made where it is not there yet."""
    stem = f"{one.name}_{_identity(one, data)}"
    folder, made = cache / "sets" / stem, cache / "sets" / f"{stem}.part"
    if not folder.exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        made.chmod(0o755)
        (made / f"{stem}.yaml").write_text(one.prepare(made, data), encoding="utf-8")
        made.rename(folder)
    return folder / f"{stem}.yaml"


def _identity(one: DataSet, data: Path) -> str:
    """Changes with all code that prepares sets, with the set's numbers and the files it reads."""
    digest = hashlib.sha256(repr(getattr(one.prepare, "args", ())).encode())
    shipped = Path(daybreak.__file__).parent
    for place in (Path(__file__).parent, shipped / "sources" / "synthetic", shipped / "datasets"):
        for file in sorted(place.glob("*.*")):
            digest.update(file.read_bytes() if file.is_file() else b"")
    for file in _files(data / one.needs) if one.needs else ():
        digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    return digest.hexdigest()[:8]


def _files(place: Path) -> Iterator[Path]:
    yield from sorted(place.parent.glob("*.parquet"))
