"""Where the rows of a section come from: local files, S3 objects, a query or a generator.

An ``Origin`` names one unit that is loaded wholly or not at all. Opening it gives rows in
batches (``daybreak.sources.reading.readers``); nothing is read before.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daybreak.errors import DatasetError
from daybreak.sources.contract.section import Section
from daybreak.sources.contract.spec import DatasetSpec
from daybreak.sources.reading import s3
from daybreak.sources.reading.csv_reader import open_csv
from daybreak.sources.reading.generators import Generator, open_generator
from daybreak.sources.reading.readers import Rows, open_generated, open_parquet, open_query


@dataclass(frozen=True)
class Origin:
    """One file, query or generated table of a section."""

    section: Section
    uri: str
    endpoint_url: str | None = None
    generator: Generator | None = None

    @contextmanager
    def open(self) -> Iterator[Rows]:
        """The rows, for the time of the block. Raises ``DatasetError`` where they cannot be read.

        A file that changes while it is read is refused at the end of the block.
        """
        if self.generator is not None:
            table = self.section.table or self.section.kind
            yield open_generated(self.generator, table, self.uri)
        elif self.section.query is not None:
            with open_query(self.section, self.uri) as rows:
                yield rows
        elif s3.is_s3(self.uri):
            with s3.downloaded(self.uri, self.endpoint_url) as path:
                yield self._open_file(path)
        else:
            path = Path(self.uri)
            before = _state(path)
            yield self._open_file(path)
            if _state(path) != before:
                raise DatasetError(
                    f"{self.uri} changed while it was read; nothing of it was loaded.",
                    remedy="Load it again once its writer is done; move files in place whole.",
                    file=self.uri,
                )

    def _open_file(self, path: Path) -> Rows:
        if path.stat().st_size == 0:
            raise DatasetError(
                f"{self.uri} is empty.", remedy="Deliver the file again.", file=self.uri
            )
        form = self.section.format or _format_by_suffix(self.uri)
        sha256 = _sha256(path)
        if form == "parquet":
            return open_parquet(path, self.uri, sha256, self.section)
        return open_csv(path, self.uri, sha256, self.section)


def origins(
    spec: DatasetSpec, section: Section, endpoint_url: str | None = None
) -> tuple[Origin, ...]:
    """All units of a section in order of name.

    Raises ``DatasetError`` where a pattern matches no file: data that are silently absent would
    look like days on which nothing happened.
    """
    if section.generator:
        generator = open_generator(section.generator, spec.generators.get(section.generator, {}))
        uri = f"generator:{section.generator}/{section.table or section.kind}"
        return (Origin(section, uri, generator=generator),)
    if section.query:
        return (Origin(section, f"query:{section.url_env}"),)
    found: dict[str, None] = {}
    for pattern in section.patterns:
        matches = s3.matching(pattern, endpoint_url) if s3.is_s3(pattern) else _local(pattern)
        if not matches:
            raise DatasetError(
                f"The section {section.kind!r} of {spec.name!r} finds no file {pattern}.",
                remedy=f"Put it there, or {_elsewhere(spec, section)}.",
                dataset=spec.name,
                section=section.kind,
                file=pattern,
            )
        found |= dict.fromkeys(matches)
    return tuple(Origin(section, uri, endpoint_url) for uri in found)


def _local(pattern: str) -> list[str]:
    path = Path(pattern).expanduser()
    if path.is_file():  # also where its name holds a bracket
        return [str(path)]
    found = glob.glob(str(path), recursive=True)  # noqa: PTH207  Path.glob takes no absolute one
    return sorted(match for match in found if Path(match).is_file())


def _elsewhere(spec: DatasetSpec, section: Section) -> str:
    if section.files == spec.main.files:
        return "say where it is by --path or DAYBREAK_DATASET_PATH (a path, glob or s3:// URL)"
    return "correct `files` in the data set file"


def _format_by_suffix(uri: str) -> str:
    suffix = uri.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in ("parquet", "pq"):
        return "parquet"
    if suffix in ("csv", "txt", "tsv"):
        return "csv"
    raise DatasetError(
        f"{uri} is neither .parquet nor .csv.",
        remedy="Say `format: csv` or `format: parquet` in the section.",
        file=uri,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {error.strerror}.",
            remedy="Check its permissions.",
            file=str(path),
        ) from None
    return state.st_size, state.st_mtime_ns
