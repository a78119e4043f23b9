"""What a check or a load says it found: plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from daybreak.sources.parsing.tally import Tally
from daybreak.sources.reading.readers import Rows


@dataclass
class FileReport:
    """One file, query or generated table.

    ``rows`` were read; of these ``kept`` passed filters and checks. ``loaded`` rows are new in the
    warehouse (after aggregation; 0 for a check), ``planned`` of them went to ``raw.plan`` beside
    the section's own table. ``already_loaded``: the same bytes were read before; nothing was done.
    """

    section: str
    uri: str
    sha256: str
    already_loaded: bool = False
    rows: int = 0
    kept: int = 0
    quarantined: int = 0
    lines: dict[str, int] | None = None
    loaded: int = 0
    planned: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    first_rows: list[dict[str, Any]] = field(default_factory=list)
    first_date: date | None = None
    last_date: date | None = None
    load_id: int | None = None

    @classmethod
    def of(cls, section: str, rows: Rows, tally: Tally) -> FileReport:
        """The report of what was read, once all chunks were taken."""
        return cls(
            section=section,
            uri=rows.uri,
            sha256=rows.digest(),
            rows=tally.rows,
            kept=tally.kept,
            quarantined=tally.quarantined,
            lines=asdict(rows.lines) | {"bad": tally.bad_lines} if rows.lines else None,
            rules=dict(tally.rules),
            examples=[row.as_json() for row in tally.examples],
            first_date=tally.first_date,
            last_date=tally.last_date,
        )


@dataclass
class LoadReport:
    """All files of a data set, and the days whose facts are now complete.

    ``covariates``, of a check: each covariate that some section gives, and when it is known, as in
    "28d ahead"; None where it is only known afterwards, so that no forecast may look at it ahead.
    ``declared``: by section, what it says of itself beside its files.
    """

    dataset: str
    files: list[FileReport] = field(default_factory=list)
    days_closed: int = 0
    last_closed: date | None = None
    covariates: dict[str, str | None] | None = None
    declared: dict[str, str] = field(default_factory=dict)

    @property
    def loaded(self) -> int:
        """New rows in all tables."""
        return sum(file.loaded + file.planned for file in self.files)

    @property
    def quarantined(self) -> int:
        """Bad rows in all files."""
        return sum(file.quarantined for file in self.files)

    def as_json(self) -> dict[str, Any]:
        """JSON-able; dates as ISO text."""
        whole = asdict(self) | {"loaded": self.loaded, "quarantined": self.quarantined}
        plain: dict[str, Any] = _plain(whole)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
