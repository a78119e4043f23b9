"""What a load would find, without a warehouse and without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from daybreak.sources.contract.canonical import COVARIATES, CanonicalColumn, extra_covariate
from daybreak.sources.contract.section import Section, WithCovariates
from daybreak.sources.contract.spec import DatasetSpec
from daybreak.sources.parsing.clean import Clean
from daybreak.sources.parsing.transform import Transform
from daybreak.sources.reading.origins import Origin, origins
from daybreak.sources.report import FileReport, LoadReport
from daybreak.sources.sections.table import kind_of
from daybreak.types import Progress

FIRST_ROWS = 3


def check_dataset(
    spec: DatasetSpec,
    *,
    now: datetime,
    progress: Progress = lambda _: None,
    s3_endpoint_url: str | None = None,
) -> LoadReport:
    """Read every file whole, exactly as a load does, and count.

    Rows are counted before lines of one key are merged and before they are compared with what is
    known, which both need the warehouse. Raises ``DatasetError`` where a load would.
    """
    report = LoadReport(spec.name, covariates={})
    for section in spec.sections:
        if said := kind_of(section).in_short(section):
            report.declared[section.kind] = said
        for origin in origins(spec, section, s3_endpoint_url):
            file, canonical = _check(spec, origin, now, progress)
            report.files.append(file)
            _note_covariates(report, section, canonical)
    return report


def _note_covariates(
    report: LoadReport, section: Section, canonical: Sequence[CanonicalColumn]
) -> None:
    """Add what the section's rows carry; what one section gives ahead is known ahead."""
    if report.covariates is None or not isinstance(section, WithCovariates):
        return
    names = {column.name for column in (*COVARIATES, *map(extra_covariate, section.covariates))}
    for name in (column.name for column in canonical if column.name in names):
        report.covariates[name] = report.covariates.get(name) or section.known(name)


def _check(
    spec: DatasetSpec, origin: Origin, now: datetime, progress: Progress
) -> tuple[FileReport, tuple[CanonicalColumn, ...]]:
    kind = origin.section.kind
    first: list[dict[str, Any]] = []
    with origin.open() as rows:
        transform = Transform(origin.section, spec.calendar, rows, now)
        for chunk in rows.chunks:
            clean = transform.apply(chunk)
            if len(first) < FIRST_ROWS:
                first += _first_rows(clean, FIRST_ROWS - len(first))
            progress(f"{kind} · {rows.uri}: {transform.tally.rows:,} rows read")
        transform.finish()
        file = FileReport.of(kind, rows, transform.tally)
    file.first_rows = first
    return file, transform.canonical


def _first_rows(clean: Clean, count: int) -> list[dict[str, Any]]:
    table = pa.table({name: values[:count] for name, values in clean.columns.items()})
    return table.to_pylist()
