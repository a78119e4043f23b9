"""Data set files: what is refused, with its place named, and what the short forms mean."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import DatasetError
from daybreak.sources.contract.durations import parse_duration, write_duration
from daybreak.sources.contract.outline import dataset_names
from daybreak.sources.contract.spec import load_spec

MINIMAL = """
    name: mine
    sales:
      files: {folder}/sales.csv
      columns: {{business_date: day, store_id: {{const: a}}, item_id: sku, units: qty}}
"""


def write(folder: Path, text: str = MINIMAL, more: str = "") -> Path:
    file = folder / "mine.yaml"
    file.write_text(dedent(text).format(folder=folder) + dedent(more))
    return file


@pytest.mark.parametrize("name", dataset_names())
def test_shipped_data_sets_are_valid(name: str) -> None:
    spec = load_spec(name)

    assert spec.name == name
    assert spec.description


def test_short_and_long_columns(tmp_path: Path) -> None:
    columns = load_spec(write(tmp_path)).sales.columns

    assert columns["units"].column == "qty"
    assert columns["store_id"].const == "a"


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("calender: {}", "calender"),
        ("calendar: {timezone: Mars/Olympus}", "calendar.timezone"),
        ("calendar: {country: XX}", "calendar.country"),
        ("calendar: {country: GB, subdivision: BY}", "calendar"),
        ("calendar: {closed_weekdays: [caturday]}", "calendar.closed_weekdays.0"),
        ("calendar: {closed_dates: [2011-02-30]}", "is not YAML: day is out of range"),
        ('calendar: {closed_dates: ["2011-02-30"]}', "calendar.closed_dates.0"),
        ("calendar: {closed_dates: [soon]}", "calendar.closed_dates.0"),
        ("arrival_lag: 1 fortnight", "arrival_lag"),
        ("generators: {synthetic: {}}", "generators"),
        ("items: {files: a.csv, columns: {name: n}}", "items: `columns` lacks ['item_id']"),
        ("items: {files: a.csv, query: b, url_env: C, columns: {item_id: n}}", "exactly one of"),
        ("items: {query: b, columns: {item_id: n}}", "`query` and `url_env` go together"),
        ("items: {files: a.csv, table: t, columns: {item_id: n}}", "`table` goes with"),
        ("items: {files: a.csv, columns: {item_id: n, colour: c}}", "colour"),
        (
            "items: {files: a.csv, columns: {item_id: n, category: a, categories: b}}",
            "either `category` or `categories`",
        ),
        (
            "items: {files: a.csv, columns: {item_id: n, category: {column: a, separator: '|'}}}",
            "`category` has one value, so it takes no `separator`",
        ),
        (
            "items: {files: a.csv, columns: {item_id: n, categories: {column: a, values: {x: y}}}}",
            "`categories` takes no `values`",
        ),
        (
            "items: {files: a.csv, columns: {item_id: {column: a, const: b}}}",
            "items.columns.item_id",
        ),
        (
            "items: {files: a.csv, columns: {item_id: {const: a, case: upper}}}",
            "a constant takes no",
        ),
        (
            "items: {files: a.csv, columns: {item_id: n}, filters: [{name: f, drop: {column: n}}]}",
            "exactly one of matches",
        ),
        (
            "items: {files: a.csv, columns: {item_id: n}, "
            "filters: [{name: f, drop: {column: n, matches: '('}}]}",
            "is not a regular expression",
        ),
        (
            "items: {files: a.csv, columns: {item_id: n}, filters: [{name: f}]}",
            "either `drop` or `keep`",
        ),
        *(
            (f"items: {{files: a.csv, csv: {{{csv}}}, columns: {{item_id: n}}}}", where)
            for csv, where in [
                ("delimiter: ';', decimal: ',', thousands: ','", "`thousands` and `decimal` are"),
                ("thousands: '.'", "`thousands` and `decimal` are both '.'"),
                ("decimal: ':'", "items.csv.decimal"),
                ("thousands: x", "items.csv.thousands"),
                ("delimiter: ',,'", "is not a delimiter"),
                ("encoding: klingon", "There is no encoding 'klingon'"),
                ("record_lines: 0", "items.csv.record_lines"),
            ]
        ),
        (
            "items: {files: a.csv, columns: {item_id: n, name: {column: n, null_values: []}}}",
            "'n' is mapped twice, with other `null_values`",
        ),
        (
            "items: {files: a.csv, columns: {item_id: {const: a, null_values: []}}}",
            "a constant takes no",
        ),
        ("plan: {files: a.csv, columns: {business_date: d, store_id: s}}", "known_ahead"),
        *(
            (
                "interactions: {files: a.csv, columns: {event_at: a, item_id: i, kind: "
                f"{{const: rating}}}}, weights: {weights}}}",
                where,
            )
            for weights, where in [
                (
                    "{rating: -1}",
                    "interactions.weights.rating: -1.0 is not a weight: give",
                ),
                ("{rating: .inf}", "interactions.weights.rating: inf is not a weight"),
                ("{rating: .nan}", "interactions.weights.rating: nan is not a weight"),
                ("{rating: much}", "interactions.weights.rating"),
                ("{}", "interactions.weights"),
                ("{view: 0.1}", "each kind is 'rating', but `weights` names ['view']"),
            ]
        ),
        (
            "interactions: {files: a.csv, columns: {event_at: a, item_id: i, kind: "
            "{const: rating}}}",
            "each kind is 'rating', but without `weights` there are ['cart', 'purchase', 'view']",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, more: str, where: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_spec(write(tmp_path, more=more))

    assert where in caught.value.message


@pytest.mark.parametrize(
    ("within_sales", "message"),
    [
        ("known_ahead: {weather: 3d}", "`known_ahead` has ['weather']"),
        ("covariates: [price]", "need no listing"),
        ("aggregate: {covariates: {weather: max}}", "not in `covariates`"),
        (
            "filters: [{name: f, drop: {column: a, is_null: true}}, "
            "{name: f, drop: {column: b, is_null: true}}]",
            "the same name",
        ),
    ],
)
def test_sales_agree_with_themselves(tmp_path: Path, within_sales: str, message: str) -> None:
    with pytest.raises(DatasetError, match="fault") as caught:
        load_spec(
            write(
                tmp_path, MINIMAL + f"      {within_sales}\n".replace("{", "{{").replace("}", "}}")
            )
        )

    assert message in caught.value.message


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load_spec(write(tmp_path, more="arrival_lag: x\ncalender: {}\n"))

    assert len(caught.value.details["faults"]) == 2


def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/data")
    monkeypatch.delenv("ABSENT", raising=False)
    text = MINIMAL.replace(
        "{folder}/sales.csv", '["${{WHERE}}/a.csv", "${{ABSENT:-b.csv}}", "${{HERE}}/c.csv"]'
    )

    patterns = load_spec(write(tmp_path, text)).sales.patterns

    assert patterns == ("/data/a.csv", "b.csv", f"{tmp_path}/c.csv")


def test_an_absent_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ABSENT", raising=False)

    with pytest.raises(DatasetError, match="ABSENT") as caught:
        load_spec(write(tmp_path, MINIMAL.replace("{folder}", "${{ABSENT}}")))

    assert "${ABSENT:-default}" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a\n", "not a mapping"), ("a: [", "not YAML"), ("", "not a mapping")],
)
def test_not_a_data_set_file(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(content)

    with pytest.raises(DatasetError, match=message):
        load_spec(file)


def test_weights_are_given_or_the_default_ones(tmp_path: Path) -> None:
    more = "interactions: {{files: a.csv, columns: {{event_at: a, item_id: i, kind: k}}{}}}"
    plain = load_spec(write(tmp_path, more=more.format(""))).interactions
    given = load_spec(write(tmp_path, more=more.format(", weights: {5: 1, 4: 0}"))).interactions

    assert plain is not None
    assert given is not None
    assert plain.weight_of == {"view": 0.1, "cart": 0.5, "purchase": 1.0}
    assert given.weight_of == {"5": 1.0, "4": 0.0}
    assert plain.reading() != given.reading()


def test_an_unknown_name_suggests_a_close_one() -> None:
    with pytest.raises(DatasetError) as caught:
        load_spec("onlin_retail")

    assert "Did you mean 'online_retail'" in caught.value.remedy


def test_path_moves_every_section_that_reads_the_main_file() -> None:
    spec = load_spec("online_retail", path="s3://bucket/x.parquet")

    moved = [s.kind for s in spec.sections if s.files == "s3://bucket/x.parquet"]
    assert moved == ["sales", "items", "interactions"]


def test_path_needs_a_file_to_move() -> None:
    with pytest.raises(DatasetError, match="reads its sales from no file"):
        load_spec("synthetic", path="x.csv")


def test_reading_changes_with_the_rules_but_not_with_the_place(tmp_path: Path) -> None:
    one = load_spec(write(tmp_path))
    moved = one.at("elsewhere.csv")
    other = load_spec(write(tmp_path, MINIMAL + "      complete_days: true\n"))

    assert one.sales.reading() == moved.sales.reading()
    assert one.sales.reading() != other.sales.reading()


@given(st.integers(0, 10**6))
def test_durations_round_trip(minutes: int) -> None:
    duration = timedelta(minutes=minutes)

    assert parse_duration(write_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "h", "1", "-1h", "1h1d", "1.5h", 3])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
