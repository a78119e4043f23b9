"""The table of the kinds of sections: each entry is whole, and the YAML file's form follows it."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError
from sqlalchemy import Column, MetaData, Table, Text

from daybreak.errors import DatasetError
from daybreak.sources.check import check_dataset
from daybreak.sources.contract.canonical import DAY, CanonicalColumn, Kind
from daybreak.sources.contract.section import Facts, Section, WithCovariates
from daybreak.sources.contract.spec import dataset_model, load_spec
from daybreak.sources.merging.shared import Merge, Merged
from daybreak.sources.sections import table as table_of_kinds
from daybreak.sources.sections.kind import SectionKind
from daybreak.sources.sections.table import BY_NAME, FACTS, KINDS, kind_of
from daybreak.warehouse.tables import metadata

DATED = "date_column"  # None: master data
HEAD: dict[str, Any] = {"name": "mine"}
RATINGS = {
    "files": "r.csv",
    "columns": {"event_at": "at", "user_id": "u", "item_id": "i", "kind": {"const": "view"}},
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> SectionKind[Any]:
    found: SectionKind[Any] = request.param
    return found


def test_names_and_tables_stand_once() -> None:
    assert list(BY_NAME) == [
        "sales",
        "plan",
        "items",
        "stores",
        "interactions",
        "streams",
        "labels",
        "costs",
        "competitors",
        "stock",
        "pricing",
    ]
    assert len({kind.table.fullname for kind in KINDS}) == len(KINDS)
    assert FACTS == ("sales", "interactions", "streams")


def test_an_entry_is_whole(kind: SectionKind[Any]) -> None:
    names = [column.name for column in kind.model.own_columns]

    assert kind.table is metadata.tables[kind.table.fullname]
    assert kind.table.schema == ("raw" if names else "ops")
    assert len(set(names)) == len(names)
    # What reads no rows is declared by the file alone.
    assert any(column.required for column in kind.model.own_columns) or kind.model.may_be_empty
    assert all(
        getattr(kind, field.name) is not None for field in fields(kind) if field.name != DATED
    )
    assert kind.model.__doc__ != Section.__doc__, "says what its rows are"


def test_what_dates_a_row_is_a_required_date(kind: SectionKind[Any]) -> None:
    dated = {column.name: column for column in kind.model.own_columns}.get(kind.date_column or "")

    if kind.date_column is None:
        assert not kind.is_fact, "facts are dated"
    else:
        assert dated is not None
        assert dated.required
        assert dated.kind in (Kind.DATE, Kind.INSTANT)


def test_every_canonical_column_has_a_place_in_the_warehouse(kind: SectionKind[Any]) -> None:
    elsewhere = {"known_at", "known_from"}  # the row's clock: loaded_at
    names = {column.name for column in kind.model.own_columns} - elsewhere

    assert names <= set(kind.table.c.keys())
    assert issubclass(kind.model, WithCovariates) == ("covariates" in kind.table.c)


def test_the_form_of_the_file_has_a_field_for_each_kind_and_demands_none() -> None:
    form = dataset_model()

    assert set(BY_NAME) <= set(form.model_fields)
    assert not any(form.model_fields[name].is_required() for name in BY_NAME)


def test_sections_are_found_in_the_order_of_the_table() -> None:
    for name in ("synthetic", "store_sales", "online_retail"):
        kinds = [section.kind for section in load_spec(name).sections]
        assert kinds == sorted(kinds, key=list(BY_NAME).index)


class Weather(Facts):
    """A kind that a new file would bring."""

    kind: ClassVar[str] = "weather"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        CanonicalColumn("degrees", Kind.NUMBER, required=True),
    )


def _merge_weather(_merge: Merge, _section: Weather, _staged: Table) -> Merged:
    return Merged(0)


WEATHER = SectionKind(
    model=Weather,
    table=Table("weather", MetaData(), Column("degrees", Text)),
    merge=_merge_weather,
    date_column="business_date",
)


@pytest.fixture
def with_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixth entry, as a new line of the table would bring it."""
    monkeypatch.setattr(table_of_kinds, "BY_NAME", {**BY_NAME, "weather": WEATHER})


@pytest.mark.usefixtures("with_weather")
def test_a_new_kind_is_a_field_of_the_form_closes_days_and_is_checked(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("day,t\n2025-01-01,4\n2027-01-01,5\n2025-01-02,warm\n")
    section = {
        "files": str(tmp_path / "w.csv"),
        "columns": {"business_date": "day", "degrees": "t"},
        "max_bad_share": 1,
    }
    spec = dataset_model((*KINDS, WEATHER)).model_validate(HEAD | {"weather": section})

    assert spec.closing == ("weather",)
    (file,) = check_dataset(spec, now=datetime(2026, 1, 1, tzinfo=UTC)).files
    assert [(row["field"], row["reason"]) for row in file.examples] == [
        ("business_date", "is in the future"),
        ("degrees", "is not a number"),
    ]
    with pytest.raises(ValidationError, match="weather"):
        dataset_model().model_validate(HEAD | {"weather": section})


def test_a_section_of_no_kind_is_not_found() -> None:
    class Stray(Section):
        kind: ClassVar[str] = "stray"
        own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (DAY,)

    with pytest.raises(KeyError, match="stray"):
        kind_of(Stray(files="a.csv", columns={"business_date": {"column": "d"}}))


CONTRACT = Path(__file__).parents[3] / "docs" / "data-contract.md"


@pytest.mark.docs
def test_the_contract_lists_each_kind_with_its_columns(kind: SectionKind[Any]) -> None:
    row = next(r for r in CONTRACT.read_text().splitlines() if r.startswith(f"| `{kind.name}` |"))
    columns, own_keys = (cell.strip() for cell in row.strip("|").split("|")[1:])

    own, _, _named_by_the_file = columns.partition(", and each of")
    named = re.findall(r"(\**)(\w+)\1", own.replace(" or ", ", "))
    assert [(name, bool(bold)) for bold, name in named] == [
        (column.name, column.required) for column in kind.model.own_columns
    ]
    keys = set(kind.model.model_fields) - set(Section.model_fields)
    assert set(re.findall(r"`(\w+)`", own_keys)) == keys


@pytest.mark.docs
@pytest.mark.parametrize("name", ["mine", "films", "bank"])
def test_the_data_sets_of_the_contract_are_valid(tmp_path: Path, name: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", CONTRACT.read_text(), re.DOTALL)
    (text,) = [block for block in blocks if block.startswith(f"name: {name}\n")]
    (tmp_path / "it.yaml").write_text(text)

    assert load_spec(tmp_path / "it.yaml").name == name


# --- which sections a data set may have -------------------------------------------------------


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(dedent(text))
    with pytest.raises(DatasetError) as caught:
        load_spec(file)
    return caught.value.message


def test_ratings_alone_are_a_data_set() -> None:
    spec = dataset_model().model_validate(HEAD | {"interactions": RATINGS})

    assert [section.kind for section in spec.sections] == ["interactions"]
    assert (spec.closing, spec.main.kind) == (("interactions",), "interactions")
    assert spec.at("elsewhere.csv").main.files == "elsewhere.csv"


@pytest.mark.parametrize(
    "sections",
    [
        "",
        "items: {files: a.csv, columns: {item_id: i}}",
        "plan: {files: a.csv, known_ahead: 1d, columns: {business_date: d, store_id: s}}",
    ],
)
def test_a_data_set_without_facts_is_refused_with_what_to_add(
    tmp_path: Path, sections: str
) -> None:
    message = refused(tmp_path, f"name: mine\n{sections}\n")

    assert "no day is ever closed: add `sales` or `interactions`" in message


def test_one_section_has_to_close_days(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        """
        name: mine
        interactions:
          files: r.csv
          closes_days: false
          columns: {event_at: at, user_id: u, item_id: i, kind: k}
        """,
    )

    assert "`closes_days` is false in interactions" in message
    assert "leave it out of one of them" in message


@pytest.mark.parametrize(
    ("section", "where"),
    [
        (
            "plan: {files: a.csv, closes_days: true, known_ahead: 1d, "
            "columns: {business_date: d, store_id: s}}",
            "plan.0: `closes_days` is for sections of what has happened; plan closes no days",
        ),
        (
            "items: {files: a.csv, closes_days: false, columns: {item_id: i}}",
            "items: `closes_days` is for sections of what has happened; items closes no days",
        ),
    ],
)
def test_what_has_not_happened_closes_no_days(tmp_path: Path, section: str, where: str) -> None:
    head = "name: mine\ninteractions: {files: r.csv, columns: {event_at: a, item_id: i, kind: k}}\n"

    assert where in refused(tmp_path, head + section)


def test_whether_a_section_closes_days_is_no_other_reading() -> None:
    form = dataset_model()
    sales = {
        "files": "s.csv",
        "columns": {"business_date": "d", "store_id": "s", "item_id": "i", "units": "u"},
    }
    specs = [
        form.model_validate(HEAD | {"sales": sales, "interactions": RATINGS | more})
        for more in ({}, {"closes_days": False})
    ]

    assert [spec.closing for spec in specs] == [("sales", "interactions"), ("sales",)]
    assert specs[0].sections[1].reading() == specs[1].sections[1].reading()


def test_the_readings_of_shipped_data_sets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reading makes every warehouse read all its files again after an upgrade."""
    for name in ("ONLINE_RETAIL", "SYNTHETIC_SEED"):
        monkeypatch.delenv(f"DAYBREAK_{name}", raising=False)
    assert [section.reading() for section in load_spec("online_retail").sections] == [
        "ad78d4687752bf67",
        "87493380f86fd46a",
        "62577ac7ed82c5f6",
        "ba450051ca5b1906",
    ]
    assert [section.reading() for section in load_spec("store_sales").sections] == [
        "60bab2020c0f76e6",
        "31b23f4236b355ab",
        "0fdb154094d31951",
    ]


# --- covariates that are known only afterwards ------------------------------------------------

SALES = """
name: mine
sales:
  files: s.csv
  columns: {{business_date: d, store_id: s, item_id: i, units: u, price: p, customers: c}}
  covariates: [customers]
  known_ahead: {{{known_ahead}}}
"""
PLAN = """
plan:
  files: p.csv
  known_ahead: 7d
  columns: {{business_date: d, store_id: s, {covariate}: c}}
  covariates: [{extra}]
"""


def test_history_only_is_told_from_known_ahead(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SALES.format(known_ahead="price: 28d, customers: false"))

    sales = load_spec(file).main

    assert sales.history_only == {"customers"}
    assert list(sales.ahead) == ["price"]


def test_a_covariate_of_history_is_refused_in_a_plan(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        SALES.format(known_ahead="customers: false")
        + PLAN.format(covariate="customers", extra="customers"),
    )

    assert "`plan` gives ['customers'], of which `sales.known_ahead` says false" in message
    assert "take it out of one of the two" in message


@pytest.mark.parametrize(
    ("known_ahead", "fault"),
    [
        ("price: true", "say how long before its date it is known, such as 28d"),
        ("price: soon", "'soon' is not a duration"),
        ("weather: false", "`known_ahead` has ['weather']; covariates are"),
    ],
)
def test_what_known_ahead_takes(tmp_path: Path, known_ahead: str, fault: str) -> None:
    message = refused(tmp_path, SALES.format(known_ahead=known_ahead))

    assert "sales" in message
    assert fault in message


def test_a_covariate_named_twice_is_refused(tmp_path: Path) -> None:
    twice = SALES.replace("[customers]", "[customers, customers]").format(known_ahead="")

    assert "sales.covariates: ['customers'] stand twice" in refused(tmp_path, twice)
