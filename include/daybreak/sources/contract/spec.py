"""A data set: one YAML file, checked as a whole before anything is read.

``load_spec("online_retail")`` takes a data set that ships with Daybreak,
``load_spec("path/to/mine.yaml")`` any other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BeforeValidator, Field, ValidationError, create_model, model_validator

from daybreak.errors import DatasetError
from daybreak.prices.live import LiveCompetitors, LiveSales
from daybreak.sources.contract.calendar import Calendar
from daybreak.sources.contract.durations import Duration
from daybreak.sources.contract.outline import dataset_file
from daybreak.sources.contract.section import Facts, Name, Section, Strict
from daybreak.sources.sections.kind import SectionKind
from daybreak.sources.sections.labels import Labels
from daybreak.sources.sections.plan import Plan
from daybreak.sources.sections.pricing import PriceRules
from daybreak.sources.sections.sales import Sales
from daybreak.sources.sections.streams import Streams
from daybreak.sources.sections.table import FACTS, KINDS

_S = TypeVar("_S", bound=Section)
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


class DatasetSpec(Strict):
    """One data set, with whatever sections it has; ``dataset_model`` adds a field for each kind."""

    name: Name
    description: str = ""
    calendar: Calendar = Calendar()
    arrival_lag: Duration = Field(
        timedelta(0), description="how long after its end a business day's facts were known"
    )
    generators: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="generator -> its options"
    )

    @model_validator(mode="after")
    def _known_generators(self) -> Self:
        used = {section.generator for section in self.sections if section.generator}
        if unused := sorted(set(self.generators) - used):
            raise ValueError(f"`generators` has {unused}, which no section uses")
        return self

    @model_validator(mode="after")
    def _some_section_closes_days(self) -> Self:
        facts = [section.kind for section in self.sections if isinstance(section, Facts)]
        if not facts:
            raise ValueError(
                f"no section says what happened on which day, so no day is ever closed: add "
                f"{' or '.join(f'`{name}`' for name in FACTS)}"
            )
        if not self.closing:
            raise ValueError(
                f"`closes_days` is false in {' and '.join(facts)}, so no day is ever closed: leave "
                "it out of one of them"
            )
        return self

    @model_validator(mode="after")
    def _history_is_not_planned(self) -> Self:
        history = {name for one in self._all(Sales) for name in one.history_only}
        for plan in self._all(Plan):
            given = set(plan.columns) or {column.name for column in plan.canonical}
            if clash := sorted(history & given):
                raise ValueError(
                    f"`plan` gives {clash}, of which `sales.known_ahead` says false, never known "
                    "ahead: take it out of one of the two (a plan that maps no `columns` gives all)"
                )
        return self

    @model_validator(mode="after")
    def _labels_have_streams(self) -> Self:
        names = [one.name for one in self._all(Streams)]
        for number, labels in enumerate(self._all(Labels)):
            if labels.stream not in names:
                known = ", ".join(dict.fromkeys(names)) or "no stream"
                raise ValueError(
                    f"`labels` {number + 1} is of the stream {labels.stream!r}; there is {known}"
                )
        return self

    @model_validator(mode="after")
    def _live_prices_have_streams(self) -> Self:
        streams: dict[str, list[Streams]] = {}
        for one in self._all(Streams):
            streams.setdefault(one.name, []).append(one)
        for rules in self._all(PriceRules):
            if rules.live is None:
                continue
            if self.calendar.days != 1:
                raise ValueError(
                    "`pricing.live` is about days, and `calendar.period` is longer: leave it out"
                )
            for name, feed in rules.live.feeds.items():
                if fault := _misfit(feed, streams):
                    raise ValueError(f"`pricing.live.{name}.{fault}")
        return self

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections that the file has, in the order in which they are loaded."""
        found: list[Section] = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                found.append(value)
            elif isinstance(value, list):
                found += [one for one in value if isinstance(one, Section)]
        return tuple(found)

    @property
    def closing(self) -> tuple[str, ...]:
        """The kinds of sections that a business day waits for; at least one."""
        found = (section.kind for section in self._all(Facts) if section.closes_days)
        return tuple(dict.fromkeys(found))

    @property
    def main(self) -> Section:
        """The section whose file is the data set's main one: the first that closes days."""
        return next(section for section in self.sections if section.kind in self.closing)

    def at(self, path: str) -> DatasetSpec:
        """The same data set with its main file somewhere else, in all sections that read it."""
        main = self.main
        if not main.files:
            raise DatasetError(
                f"The data set {self.name!r} reads its {main.kind} from no file, so its path "
                "cannot be overridden.",
                remedy="Unset DAYBREAK_DATASET_PATH.",
                dataset=self.name,
            )

        def move(value: Any) -> Any:
            if isinstance(value, list):
                return [move(inner) for inner in value]
            reads = isinstance(value, Section) and value.files == main.files
            return value.model_copy(update={"files": path}) if reads else value

        names = type(self).model_fields
        return self.model_copy(update={name: move(getattr(self, name)) for name in names})

    def _all(self, model: type[_S]) -> list[_S]:
        return [section for section in self.sections if isinstance(section, model)]


def _misfit(
    feed: LiveSales | LiveCompetitors, streams: Mapping[str, Sequence[Streams]]
) -> str | None:
    """What of a feed no section has, beginning with its field; None: it has all."""
    if feed.stream not in streams:
        there = ", ".join(streams) or "no stream"
        return f"stream` is {feed.stream!r}; there is {there}"
    for what, named in (("keys", feed.keys), ("amounts", feed.amounts)):
        known = list(
            dict.fromkeys(name for one in streams[feed.stream] for name in getattr(one, what))
        )
        for field, name in named.items():
            if name not in known:
                listed = ", ".join(known) or "none"
                return f"{field}` is {name!r}; the stream {feed.stream!r} has the {what} {listed}"
        if len({*named.values()}) < len(named):
            return f"{min(named)}`: two fields name the same of the {what}"
    return None


def dataset_model(kinds: Sequence[SectionKind[Any]] = KINDS) -> type[DatasetSpec]:
    """The form of a data set file: ``DatasetSpec`` with a field for each kind, none obligatory."""
    fields: dict[str, Any] = {}
    for kind in kinds:
        one_or_list = Annotated[list[kind.model], BeforeValidator(_listed)]  # type: ignore[name-defined]
        fields[kind.name] = (
            (one_or_list, Field([], description="one, or a list where they are in several places"))
            if kind.several
            else (kind.model | None, None)
        )
    return create_model("DatasetSpec", __base__=DatasetSpec, **fields)


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, dict) else given


_FORM = dataset_model()


def load_spec(name_or_path: str | Path, *, path: str | None = None) -> DatasetSpec:
    """Read and check a data set by name, or by path where it ends in .yaml or .yml.

    ``path`` (``Settings.dataset_path``) overrides where the main file is. Raises
    ``DatasetError`` that lists every fault with its place in the file.
    """
    file = dataset_file(name_or_path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2011-02-30
        raise DatasetError(
            f"{file.name} is not YAML: {error}.", remedy="Correct the file.", file=str(file)
        ) from None
    if not isinstance(content, dict):
        raise DatasetError(
            f"{file.name} is not a mapping of names to values.",
            remedy="Begin with `name:`; docs/data-contract.md shows a whole file.",
            file=str(file),
        )
    variables = {**os.environ, "HERE": str(file.parent.absolute())}
    try:
        spec = _FORM.model_validate(_expand(content, variables, file))
    except ValidationError as error:
        faults = [_fault(part["loc"], part["msg"]) for part in error.errors()]
        raise DatasetError(
            f"{file.name} has {len(faults)} fault(s): {'; '.join(faults)}.",
            remedy="docs/data-contract.md says what each key takes.",
            file=str(file),
            faults=faults,
        ) from None
    return spec.at(path) if path else spec


def _expand(value: Any, variables: Mapping[str, str], file: Path) -> Any:
    """Replace ``${NAME}`` and ``${NAME:-default}`` in every string."""
    if isinstance(value, dict):
        return {key: _expand(inner, variables, file) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, variables, file) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = variables.get(match["name"]) or match["default"]
        if found is None:
            raise DatasetError(
                f"{file.name} needs the environment variable {match['name']}, which is not set.",
                remedy=f"Set it, or write ${{{match['name']}:-default}}.",
                file=str(file),
                field=match["name"],
            )
        return found

    return _VARIABLE.sub(replace, value)


def _fault(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place)
    return f"{where}: {message.removeprefix('Value error, ')}" if where else message
