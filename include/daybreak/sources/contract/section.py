"""What all sections of a data set file share: where rows come from, how they become canonical.

A closed, declarative vocabulary: what is not named here is refused, and nothing here runs code.
``docs/data-contract.md`` explains it by example. What each section has of its own is in
``daybreak.sources.sections``.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from daybreak.sources.contract.canonical import CanonicalColumn, Kind, extra_covariate


def _separates(sign: str) -> str:
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0':
        raise ValueError(f"{sign!r} is not a delimiter: give one ASCII sign such as ; or \\t")
    return sign


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"There is no encoding {name!r}: give utf-8, latin-1 ...") from None
    return name


Delimiter = Annotated[str, AfterValidator(_separates)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Scalar = str | int | float | bool
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def scalar_text(value: Scalar) -> str:
    """A YAML scalar as source data are compared: ``true``, ``1``, ``0.5``; also for ``"1.0"``."""
    if isinstance(value, bool) or value in ("True", "False", "TRUE", "FALSE"):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    whole = re.fullmatch(r"(-?[1-9][0-9]{0,15}|0)\.0", str(value))
    return whole[1] if whole else str(value)


class Strict(BaseModel):
    """Unknown keys are refused, so that a typo never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """One source column, or one constant, and how its values are read."""

    column: str | None = None
    const: Scalar | None = None
    format: str | None = Field(None, description="strptime format of dates written as text")
    case: Literal["upper", "lower"] | None = None
    separator: str | None = Field(
        None, min_length=1, description="what stands between several values of one cell"
    )
    values: dict[str, Scalar] | None = Field(
        None, description="source value -> value; any other value is a bad row"
    )
    null_values: list[str] | None = Field(
        None, description="words of a CSV column that mean absent, instead of `csv.null_values`"
    )

    @field_validator("values", mode="before")
    @classmethod
    def _keys_as_text(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {scalar_text(key): value for key, value in values.items()}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.const is None):
            raise ValueError("give either `column` or `const`")
        others = ("format", "case", "separator", "values", "null_values")
        if self.const is not None and any(getattr(self, name) is not None for name in others):
            raise ValueError(f"a constant takes none of {', '.join(map('`{}`'.format, others))}")
        return self


class Condition(Strict):
    """A test of one source column. A null satisfies only ``is_null: true``."""

    column: str
    matches: str | None = Field(None, description="regular expression over the whole value")
    is_in: list[Scalar] | None = Field(None, alias="in")
    equals: Scalar | None = None
    is_null: bool | None = None
    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if len(self.tests) != 1:
            raise ValueError(
                "give exactly one of matches, in, equals, is_null, below, at_most, above, at_least"
            )
        return self

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @property
    def compares_numbers(self) -> bool:
        """Whether values are compared as numbers, not as text."""
        return not {"below", "at_most", "above", "at_least"}.isdisjoint(self.tests)

    @property
    def tests(self) -> dict[str, Any]:
        """The one test that is given, by name."""
        return {
            name: value
            for name in type(self).model_fields
            if name != "column" and (value := getattr(self, name)) is not None
        }


class Filter(Strict):
    """A named rule that drops rows. Filters run in order; each counts the rows it dropped."""

    name: Name
    drop: Condition | None = None
    keep: Condition | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.drop is None) == (self.keep is None):
            raise ValueError("give either `drop` or `keep`")
        return self

    @property
    def condition(self) -> Condition:
        """What is tested, whichever way the rule goes."""
        return self.drop or self.keep  # type: ignore[return-value]  # one of them is given


class Csv(Strict):
    """How a CSV file is written."""

    delimiter: Delimiter = ","
    encoding: Encoding = "utf-8"
    record_lines: int = Field(
        100, ge=1, description="lines of one record at most; more refuse the file"
    )
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    null_values: list[str] = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]

    @model_validator(mode="after")
    def _numbers_can_be_told(self) -> Self:
        # Either may be the delimiter too: such numbers stand in quotes, as in "1,299.50".
        if self.thousands == self.decimal:
            raise ValueError(f"`thousands` and `decimal` are both {self.decimal!r}")
        return self


class Section(Strict):
    """What all sections share: one origin of rows, the mapping, the filters, the patience."""

    kind: ClassVar[str]
    own_columns: ClassVar[tuple[CanonicalColumn, ...]]
    may_be_empty: ClassVar[bool] = False
    """Whether it may read nothing, because its rows come in another way too."""

    files: str | list[str] | None = Field(None, description="paths, globs or s3:// URLs")
    query: str | None = Field(None, description="SQL, run on the database that `url_env` names")
    url_env: str | None = Field(None, description="environment variable with the database's URL")
    generator: str | None = Field(None, description="name of a generator, as in `generators`")
    table: str | None = Field(None, description="table of the generator; default: the section")

    format: Literal["csv", "parquet"] | None = Field(None, description="default: by file suffix")
    csv: Csv = Csv()
    columns: dict[str, Source] = Field(
        default_factory=dict, description="canonical column -> source column or {const: ...}"
    )
    filters: list[Filter] = []
    max_bad_share: float = Field(0.01, ge=0, le=1, description="more bad rows refuse the file")
    longest_text: int = Field(
        10_000, ge=1, le=1_000_000, description="bytes (UTF-8) of a text; a longer one is a bad row"
    )

    @model_validator(mode="before")
    @classmethod
    def _only_facts_close_days(cls, given: Any) -> Any:
        if isinstance(given, dict) and "closes_days" in given and not issubclass(cls, Facts):
            raise ValueError(
                f"`closes_days` is for sections of what has happened; {cls.kind} closes no days, "
                "so leave it out"
            )
        return given

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, columns: Any) -> Any:
        if not isinstance(columns, dict):
            return columns
        return {
            name: {"column": source} if isinstance(source, str) else source
            for name, source in columns.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        origins = [name for name in ("files", "query", "generator") if getattr(self, name)]
        if len(origins) != 1 and (origins or not self.may_be_empty):
            raise ValueError("give exactly one of `files`, `query` and `generator`")
        if (self.query is None) != (self.url_env is None):
            raise ValueError("`query` and `url_env` go together")
        if self.table and not self.generator:
            raise ValueError("`table` goes with `generator`")
        known = {column.name: column for column in self.canonical}
        if unknown := sorted(set(self.columns) - set(known)):
            raise ValueError(f"`columns` has {unknown}; {self.kind} knows {sorted(known)}")
        for name, source in self.columns.items():
            if source.separator and known[name].kind is not Kind.TEXTS:
                raise ValueError(f"`{name}` has one value, so it takes no `separator`")
            if source.values and known[name].kind is Kind.TEXTS:
                raise ValueError(f"`{name}` takes no `values`")
        if origins and not self.generator:
            required = [column.name for column in self.canonical if column.required]
            if missing := [name for name in required if name not in self.columns]:
                raise ValueError(f"`columns` lacks {missing}")
        words: dict[str | None, list[str] | None] = {}
        for source in self.columns.values():
            if words.setdefault(source.column, source.null_values) != source.null_values:
                raise ValueError(f"{source.column!r} is mapped twice, with other `null_values`")
        names = [rule.name for rule in self.filters]
        if len(set(names)) != len(names):
            raise ValueError("two filters have the same name")
        return self

    @model_validator(mode="after")
    def _columns_are_of_something(self) -> Self:
        if self.columns and not (self.files or self.query or self.generator):
            raise ValueError("`columns` says what is where, and nothing is read: add `files`")
        return self

    @property
    def canonical(self) -> tuple[CanonicalColumn, ...]:
        """The canonical columns this section may fill, extra covariates included."""
        extras = getattr(self, "covariates", ())
        return (*self.own_columns, *(extra_covariate(name) for name in extras))

    @property
    def patterns(self) -> tuple[str, ...]:
        """``files`` as a tuple."""
        files = self.files or ()
        return (files,) if isinstance(files, str) else tuple(files)

    def reading(self) -> str:
        """Hash of how bytes become rows; not of where they are, nor of whether they close days."""
        apart = {"files", "url_env", "closes_days"}
        text = self.model_dump_json(exclude=apart, by_alias=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Facts(Section):
    """What has happened: no row is in the future, and a business day waits for these rows."""

    closes_days: bool = Field(
        True, description="whether a business day is closed only once this section has reached it"
    )


class WithCovariates(Section):
    """A section with further numbers, each kept by its name."""

    covariates: list[Name] = Field([], description="more covariates, each a number, by name")

    @field_validator("covariates")
    @classmethod
    def _new_names(cls, names: list[str]) -> list[str]:
        taken = {"units", "known_at", *(column.name for column in cls.own_columns)}
        if clash := sorted(set(names) & taken):
            raise ValueError(f"{clash} are canonical columns and need no listing")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{repeated} stand twice")
        return names

    def known(self, _covariate: str) -> str | None:
        """When a covariate of this section is known, as in "28d ahead"; None: only afterwards."""
        return None
