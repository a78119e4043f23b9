"""Reports in the registry's store, and their list in the warehouse.

A report is a folder ``reports/<model>/<period>/<name>``. Its row is written after all of its files:
one whose making was cut short does not exist. A file never changes, and is checked against its
sha256 whenever it is read. A period that is reported again gets another report beside the old one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from daybreak.errors import ArtifactAltered, NotFound
from daybreak.registry.registry import Registry
from daybreak.registry.store import ArtifactStore
from daybreak.reporting.page import About
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import period_report

PAGE = "report.html"
MOST_LISTED = 500

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")

_COLUMNS = (
    "model, period, name, first_date, last_date, known_at, nights, newest, uri, files, made_at"
)
_LISTED = f"""
    SELECT {_COLUMNS} FROM report.period_report
    WHERE model = ANY (:models) AND (:period = '' OR period = :period)
    ORDER BY last_date DESC, first_date DESC, model, report_id DESC
    LIMIT :most
"""  # noqa: S608 -- a constant
_ONE = f"""
    SELECT {_COLUMNS} FROM report.period_report
    WHERE model = :model AND period = :period AND (newest OR :name <> '')
        AND (:name = '' OR name = :name)
"""  # noqa: S608


@dataclass(frozen=True)
class Report:
    """A report that was made. ``newest``: of its model and period. ``files``: name to sha256."""

    model: str
    period: str
    name: str
    first_date: date
    last_date: date
    known_at: datetime
    nights: int
    newest: bool
    uri: str
    files: Mapping[str, str]
    made_at: datetime

    @property
    def path(self) -> str:
        """Its folder in the store."""
        return folder_of(self.model, self.period, self.name)

    @property
    def tables(self) -> list[str]:
        """Names of its Parquet files."""
        return sorted(name for name in self.files if name != PAGE)

    def as_json(self) -> dict[str, Any]:
        """With dates and moments as ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in vars(self).items()
        }


def folder_of(model: str, period: str, name: str) -> str:
    """Where a report lies in the store."""
    return f"reports/{model}/{period}/{name}"


def name_of(known_at: datetime, files: Mapping[str, bytes]) -> str:
    """The knowledge time to the second, and eight hex digits of the content."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return f"{known_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest.hexdigest()[:8]}"


def keep(registry: Registry, about: About, files: Mapping[str, bytes]) -> Report:
    """Write the files of a report, and then its row. Raises ``Conflict``, ``StorageFull`` and
    ``RegistryUnavailable``; nothing is seen of it then."""
    period, name = about.period, name_of(about.known_at, files)
    folder = folder_of(about.model, period.name, name)
    for file in sorted(files, key=lambda file: file == PAGE):
        registry.store.write(f"{folder}/{file}", files[file])
    row: dict[str, Any] = {
        "model": about.model,
        "period": period.name,
        "name": name,
        "first_date": period.first,
        "last_date": period.last,
        "known_at": about.known_at,
        "nights": about.nights,
        "uri": registry.store.uri(folder),
        "files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
        "made_at": registry.clock(),
    }
    with begin(registry.engine) as conn:
        conn.execute(insert(period_report).values(row).on_conflict_do_nothing())
    return Report(newest=True, **row)


def reports(
    conn: Connection, models: list[str], period: str = "", most: int = MOST_LISTED
) -> list[Report]:
    """Reports of some models, those of the newest period first; of one period the newest first.

    ``period``: '' for all.
    """
    asked = {"models": models, "period": period, "most": most}
    return [_report(row) for row in conn.execute(text(_LISTED), asked).mappings()]


def find(conn: Connection, model: str, period: str, name: str = "") -> Report:
    """One report; by default the newest of its period. Raises ``NotFound``."""
    asked = {"model": model, "period": period, "name": name}
    row = None
    if not name or _NAME.fullmatch(name):  # anything else, a NUL say, the server may refuse
        row = conn.execute(text(_ONE), asked).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"There is no such report of {model}.",
            remedy="`daybreak reports list` lists those that there are; `daybreak report` makes "
            "one.",
            model=model,
        )
    return _report(row)


def read(store: ArtifactStore, report: Report, file: str) -> bytes:
    """A file of a report, checked. Raises ``NotFound``, ``ArtifactMissing``, ``ArtifactAltered``
    and ``RegistryUnavailable``."""
    expected = report.files.get(file)
    if expected is None:
        raise NotFound(
            "The report has no such file.", remedy=f"It has {', '.join(sorted(report.files))}."
        )
    path = f"{report.path}/{file}"
    data = store.read(path)
    if hashlib.sha256(data).hexdigest() != expected:
        raise ArtifactAltered(
            f"{path} in the registry differs from what was written.",
            remedy="Restore it from a backup, or make the report again: `daybreak report`.",
            path=path,
        )
    return data


def expired(conn: Connection, before: datetime) -> list[tuple[int, str, list[str]]]:
    """Reports that were made before a moment: id, folder, files."""
    query = select(period_report).where(period_report.c.made_at < before)
    return [
        (row["report_id"], folder_of(row["model"], row["period"], row["name"]), [*row["files"]])
        for row in conn.execute(query.order_by(period_report.c.report_id)).mappings()
    ]


def prune(registry: Registry, before: datetime) -> list[str]:
    """Remove what ``expired`` lists; returns the folders. Killed in between, files are gone of a
    report that is still listed: the next time ends it."""
    with connect(registry.engine) as conn:
        planned = expired(conn, before)
    for report_id, folder, files in planned:
        for file in files:
            registry.store.delete(f"{folder}/{file}")
        with begin(registry.engine) as conn:
            conn.execute(delete(period_report).where(period_report.c.report_id == report_id))
    return [folder for _, folder, _ in planned]


def _report(row: RowMapping) -> Report:
    return Report(**row)
