"""Plans, items, stores and interactions: what is new, what has changed, and when it was known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from daybreak.clock import AsOf
from daybreak.facts.sales import read_panel
from daybreak.sources.check import check_dataset
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import LoadReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)

Load = Callable[..., LoadReport]
Rows = Callable[[str], list[tuple[Any, ...]]]


def ahead(day: date, days: int) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=days)


PLANNED = """
plan:
  files: ${HERE}/plan.csv
  columns: {business_date: day, store_id: store, item_id: sku, price: price, heat: heat}
  covariates: [heat]
  known_ahead: 28d
"""
PLAN = "SELECT item_id, price, covariates, loaded_at FROM raw.plan ORDER BY loaded_at, item_id"
D = date(2025, 3, 20)


def test_a_plan_is_known_ahead_of_its_day(load: Load, rows: Rows) -> None:
    load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-20,a,x,5,21\n2025-03-20,a,,,\n"})

    assert rows(PLAN) == [("x", 5, {"heat": 21}, ahead(D, 28))]  # an empty line says nothing


def test_a_row_without_any_further_covariate_has_none(load: Load, rows: Rows) -> None:
    load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-20,a,x,5,\n"})

    assert rows(PLAN) == [("x", 5, None, ahead(D, 28))]


def test_a_changed_plan_carries_what_it_does_not_say(load: Load, rows: Rows) -> None:
    load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-20,a,x,5,21\n"})

    report = load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-20,a,x,,25\n"})

    # The day is not closed, so this is still first knowledge, but after what it replaces.
    changed = ahead(D, 28) + timedelta(microseconds=1)
    assert rows(PLAN)[1:] == [("x", 5, {"heat": 25}, changed)]
    assert report.files[1].loaded == 1
    again = load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-20,a,x,5,\n"})
    assert again.files[1].loaded == 0


def test_a_plan_for_a_closed_day_is_known_now(load: Load, rows: Rows) -> None:
    load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-01,a,x,5,\n"})

    load(PLANNED, {"plan.csv": "day,store,sku,price,heat\n2025-03-01,a,x,4,\n"}, LATER)

    assert rows(PLAN)[1:] == [("x", 4, None, LATER)]


def test_a_plan_for_a_whole_store_has_no_item(load: Load, rows: Rows) -> None:
    section = """
    plan:
      files: ${HERE}/plan.csv
      columns: {business_date: day, store_id: store, open: open, holiday: holiday}
      known_ahead: 28d
    """
    content = "day,store,open,holiday\n2025-03-20,a,0,1\n"

    load(section, {"plan.csv": content})

    assert rows("SELECT item_id, open, holiday FROM raw.plan") == [("", False, 1)]


def test_a_second_plan_for_a_whole_store_is_kept_apart(load: Load, rows: Rows) -> None:
    """Its key has no item, and so has that of the first one."""
    content = "day,store,sku,price,heat\n2025-03-20,a,,,21\n2025-03-20,a,,,22\n2025-03-20,a,x,,23\n"

    load(PLANNED + "  max_bad_share: 0.5\n", {"plan.csv": content})

    assert rows("SELECT item_id, covariates FROM raw.plan ORDER BY item_id") == [
        ("", {"heat": 21}),
        ("x", {"heat": 23}),
    ]
    assert rows("SELECT row_number, field FROM raw.quarantine") == [
        (2, "business_date, store_id, item_id")
    ]


VINTAGES = """
plan:
  files: ${HERE}/plan.csv
  columns: {business_date: day, store_id: store, item_id: sku, price: price, known_at: at}
"""


def test_plans_that_say_when_they_were_known(load: Load, rows: Rows) -> None:
    header = "day,store,sku,price,at\n"
    first = "2025-03-20,a,x,5,2025-02-01 10:00\n"
    second = "2025-03-20,a,x,4,2025-03-01 10:00\n"

    load(VINTAGES, {"plan.csv": header + first + second})
    known = [(row[1], row[3]) for row in rows(PLAN)]
    assert known == [
        (5, datetime(2025, 2, 1, 10, tzinfo=UTC)),
        (4, datetime(2025, 3, 1, 10, tzinfo=UTC)),
    ]

    again = load(VINTAGES, {"plan.csv": header + second + first}, LATER)  # other bytes
    assert again.files[1].loaded == 0

    load(VINTAGES, {"plan.csv": header + second.replace(",4,", ",3,")}, LATER)
    assert [(row[1], row[3]) for row in rows(PLAN)][2:] == [(3, LATER)]


def test_plans_known_after_the_asked_date_wait(load: Load, rows: Rows) -> None:
    header = "day,store,sku,price,at\n"
    content = header + "2025-03-20,a,x,5,2025-02-01\n2025-03-20,a,x,4,2025-03-02 10:00\n"

    load(VINTAGES, {"plan.csv": content}, through=date(2025, 3, 1))

    assert [row[1] for row in rows(PLAN)] == [5]


def test_covariates_of_the_sales_file_known_ahead(
    warehouse: Engine, rows: Rows, tmp_path: Path
) -> None:
    content = """\
    day,store,sku,qty,price,open,promo
    2025-03-30,a,x,2,5,1,1
    2025-03-30,a,y,2,6,1,
    2025-03-31,a,x,0,,0,0
    """
    (tmp_path / "sales.csv").write_text(dedent(content))
    file = tmp_path / "mine.yaml"
    spec = """\
    name: mine
    sales:
      files: ${HERE}/sales.csv
      columns: {business_date: day, store_id: store, item_id: sku, units: qty, price: price,
                open: open, promotion: promo}
      known_ahead: {price: 28d, promotion: 14d, open: 30d}
    """
    file.write_text(dedent(spec))

    report = load_dataset(warehouse, load_spec(file), now=NOW)

    d30, d31 = date(2025, 3, 30), date(2025, 3, 31)
    found = rows(
        "SELECT business_date, item_id, price, promotion, open, loaded_at FROM raw.plan "
        "ORDER BY loaded_at, business_date, item_id"
    )
    assert found == [
        (d30, "", None, None, True, ahead(d30, 30)),
        (d31, "", None, None, False, ahead(d31, 30)),
        (d30, "x", 5, None, None, ahead(d30, 28)),
        (d30, "y", 6, None, None, ahead(d30, 28)),
        (d30, "x", 5, 1, None, ahead(d30, 14)),  # the price is carried along
        (d31, "x", None, 0, None, ahead(d31, 14)),
    ]
    assert report.files[0].planned == 6
    assert load_dataset(warehouse, load_spec(file), now=NOW).loaded == 0


ITEMS = """
items:
  files: ${HERE}/items*.csv
  columns: {item_id: sku, name: name, category: kind}
"""
ITEM_ROWS = "SELECT item_id, name, category, loaded_at FROM raw.item ORDER BY loaded_at, item_id"


def test_items_without_a_date_were_always_known_and_change_now(load: Load, rows: Rows) -> None:
    load(ITEMS, {"items.csv": "sku,name,kind\nx,Mug,kitchen\ny,Lamp,\n"})
    assert rows(ITEM_ROWS) == [("x", "Mug", "kitchen", ALWAYS), ("y", "Lamp", None, ALWAYS)]

    load(ITEMS, {"items.csv": "sku,name,kind\nx,Cup,kitchen\ny,Lamp,\n"}, LATER)

    assert rows(ITEM_ROWS)[2:] == [("x", "Cup", "kitchen", LATER)]


def test_an_item_twice_is_bad(load: Load, rows: Rows) -> None:
    files = {"items.csv": "sku,name,kind\nx,Mug,\nx,Cup,\n"}

    (_, file) = load(ITEMS + "  max_bad_share: 0.5\n", files).files

    assert (file.quarantined, file.loaded) == (1, 1)
    assert rows("SELECT field, row FROM raw.quarantine") == [
        ("item_id", {"item_id": "x", "name": "Cup", "category": None})
    ]


@pytest.mark.parametrize(
    ("which", "names"), [("first", ["Mug", "Mug"]), ("last", ["Cup", "Cup", "Jug"])]
)
def test_items_taken_from_lines(load: Load, rows: Rows, which: str, names: list[str]) -> None:
    section = ITEMS + f"  duplicates: {which}\n"
    load(section, {"items1.csv": "sku,name,kind\nx,,a\nx,Mug,\nx,Cup,b\nx,,\n"})
    load(section, {"items2.csv": "sku,name,kind\nx,Jug,\nz,Mug,\n"}, LATER)

    assert [name for _, name, _, _ in rows(ITEM_ROWS)][:1] == names[:1]
    changed = rows("SELECT name FROM raw.item WHERE item_id = 'x' ORDER BY loaded_at")
    assert [name for (name,) in changed] == (["Mug"] if which == "first" else ["Cup", "Jug"])


def test_items_are_known_from_their_first_day(load: Load, rows: Rows) -> None:
    section = """
    items:
      files: ${HERE}/items.csv
      columns: {item_id: sku, name: name, known_from: since}
      duplicates: first
    """
    content = "sku,name,since\nx,Mug,2025-03-02\nx,Cup,2025-03-01\ny,Lamp,2025-03-02\n"

    load(section, {"items.csv": content}, through=date(2025, 3, 1))
    assert rows(ITEM_ROWS) == [("x", "Cup", None, datetime(2025, 3, 2, tzinfo=UTC))]
    load(section, {"items.csv": content})

    assert rows(ITEM_ROWS)[1:] == [("y", "Lamp", None, datetime(2025, 3, 3, tzinfo=UTC))]


def test_stores(load: Load, rows: Rows) -> None:
    section = """
    stores:
      files: ${HERE}/stores.csv
      columns: {store_id: id, region: region}
    """

    load(section, {"stores.csv": "id,region\na,north\n"})

    assert rows("SELECT store_id, name, region, loaded_at FROM raw.store") == [
        ("a", None, "north", ALWAYS)
    ]


BOUGHT = """
calendar: {timezone: Europe/London}
interactions:
  files: ${HERE}/lines*.csv
  columns: {event_at: at, user_id: who, item_id: sku, kind: {const: purchase}, quantity: qty}
"""
LINES = "at,who,sku,qty\n2025-03-01 09:00,1,x,2\n2025-03-01 09:00,1,x,2\n2025-06-01 00:30,,y,1\n"
INTERACTIONS = (
    "SELECT event_at, user_id, item_id, kind, quantity, price, loaded_at FROM raw.interaction "
    "ORDER BY loaded_at, event_at"
)


def test_interactions_are_known_at_the_end_of_their_local_day(load: Load, rows: Rows) -> None:
    load(BOUGHT, {"lines.csv": LINES})

    nine = datetime(2025, 3, 1, 9, tzinfo=UTC)
    one = (nine, "1", "x", "purchase", 2, None, datetime(2025, 3, 2, tzinfo=UTC))
    june = datetime(2025, 5, 31, 23, 30, tzinfo=UTC)  # half past midnight on 1 June in London
    assert rows(INTERACTIONS) == [
        one,
        one,
        (june, None, "y", "purchase", 1, None, datetime(2025, 6, 1, 23, tzinfo=UTC)),
    ]


def test_interactions_are_compared_as_a_bag(load: Load, rows: Rows) -> None:
    load(BOUGHT, {"lines.csv": LINES})

    more = LINES + "2025-03-01 09:00,1,x,2\n2025-06-01 08:00,2,y,1\n"
    report = load(BOUGHT, {"lines.csv": more}, LATER)

    assert report.files[-1].loaded == 2
    assert rows("SELECT count(*) FROM raw.interaction WHERE item_id = 'x'") == [(3,)]
    assert rows("SELECT loaded_at FROM raw.interaction WHERE user_id = '2'") == [
        (datetime(2025, 6, 1, 23, tzinfo=UTC),)  # its day was not closed
    ]
    assert rows("SELECT max(loaded_at) FROM raw.interaction") == [(LATER,)]  # the closed one
    less = load(BOUGHT, {"lines.csv": "at,who,sku,qty\n2025-03-01 09:00,1,x,2\n"}, LATER)
    assert less.files[-1].loaded == 0


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [("1e39,1", "quantity", "is beyond 2^24"), ("1,1e39", "price", "is beyond 1e30")],
)
def test_what_float32_cannot_hold_is_no_interaction(
    load: Load, rows: Rows, line: str, field: str, reason: str
) -> None:
    priced = BOUGHT.replace("quantity: qty", "quantity: qty, price: paid")
    row = f"2025-03-01 09:00,1,x,{line}\n"
    good = "2025-03-01 09:00,1,y,1,1e30\n"
    load(priced + "  max_bad_share: 0.5\n", {"lines.csv": "at,who,sku,qty,paid\n" + good + row})

    assert rows("SELECT row_number, field, reason FROM raw.quarantine") == [(2, field, reason)]
    assert rows("SELECT item_id FROM raw.interaction") == [("y",)]


def test_interactions_up_to_a_date(load: Load, rows: Rows) -> None:
    load(BOUGHT, {"lines.csv": LINES}, through=date(2025, 5, 31))

    assert rows("SELECT DISTINCT item_id FROM raw.interaction") == [("x",)]


DONE = """
calendar: {timezone: Europe/London}
interactions:
  files: ${HERE}/done*.csv
  columns: {event_at: at, user_id: who, item_id: sku, kind: kind}
"""
IN_BASKETS = DONE.replace("kind: kind}", "kind: kind, basket_id: visit}")
EVENTS = (
    "at,who,sku,kind,visit\n"
    "2025-06-01 00:30,1,x,view,v1\n"
    "2025-06-01 00:31,1,x,cart,v1\n"
    "2025-06-01 00:32,1,x,purchase,v1\n"
    "2025-06-01 12:00,,y,purchase,\n"
)
BASKETS = (
    "SELECT item_id, kind, basket_id, weight, business_date FROM raw.interaction "
    "ORDER BY event_at, basket_id"
)


def test_an_event_keeps_its_basket_its_weight_and_its_local_day(load: Load, rows: Rows) -> None:
    load(IN_BASKETS, {"done.csv": EVENTS})

    june = date(2025, 6, 1)  # in UTC the first three were in May
    assert rows(BASKETS) == [
        ("x", "view", "v1", 0.1, june),
        ("x", "cart", "v1", 0.5, june),
        ("x", "purchase", "v1", 1.0, june),
        ("y", "purchase", None, 1.0, june),
    ]


def test_a_kind_without_a_weight_is_no_purchase(load: Load, rows: Rows) -> None:
    patient = IN_BASKETS + "  max_bad_share: 0.5\n"
    report = load(patient, {"done.csv": EVENTS + "2025-06-01 13:00,1,x,return,v2\n"})

    assert (report.files[-1].loaded, report.files[-1].quarantined) == (4, 1)
    reason = "is none of ['cart', 'purchase', 'view']; name it in `weights`"
    assert rows("SELECT row_number, field, reason FROM raw.quarantine") == [(5, "kind", reason)]
    assert rows("SELECT count(*) FROM raw.interaction WHERE kind = 'return'") == [(0,)]


def test_given_weights_hold_and_name_every_kind(load: Load, rows: Rows) -> None:
    weights = "  weights: {view: 0.25, purchase: 3, liked: 0}\n  max_bad_share: 0.5\n"
    liked = EVENTS.replace("y,purchase", "y,liked")
    report = load(IN_BASKETS + weights, {"done.csv": liked})

    assert report.files[-1].quarantined == 1
    assert rows("SELECT row_number, field, reason FROM raw.quarantine") == [
        (2, "kind", "is none of ['liked', 'purchase', 'view']")
    ]
    assert rows("SELECT kind, weight FROM raw.interaction ORDER BY event_at") == [
        ("view", 0.25),
        ("purchase", 3.0),
        ("liked", 0.0),
    ]


def test_reading_a_file_again_with_baskets_doubles_nothing(load: Load, rows: Rows) -> None:
    """Not even rows from before there were baskets, with a business date in UTC."""
    load(DONE, {"done.csv": EVENTS})
    before = [
        (item, kind, None, weight, date(2025, 5, 31) if item == "x" else day)
        for item, kind, _, weight, day in rows(BASKETS)
    ]
    rows(
        "UPDATE raw.interaction SET business_date = (event_at AT TIME ZONE 'UTC')::date "
        "RETURNING 1; COMMIT"
    )

    report = load(IN_BASKETS, {"done.csv": EVENTS}, LATER)

    assert not report.files[-1].already_loaded
    assert report.files[-1].loaded == 0
    assert rows(BASKETS) == before
    more = EVENTS + "2025-06-01 00:32,1,x,purchase,v2\n"
    assert load(IN_BASKETS, {"done.csv": more}, LATER).files[-1].loaded == 1
    assert rows("SELECT basket_id, business_date, weight FROM raw.interaction "
                "WHERE basket_id IS NOT NULL") == [("v2", date(2025, 6, 1), 1.0)]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "given", "added"),
    [
        ("a", "ab", ["b"]),
        ("b", "ab", ["a"]),
        ("aab", "abbc", ["c"]),
        ("ab", "ccc", ["c"]),
        (" ", "a", []),
        (" ", "ab", ["b"]),
        ("a", " ", []),
        ("a", " a", [None]),
        ("abc", "c", []),
        ("", "aab", ["a", "a", "b"]),
    ],
)
def test_of_equal_events_those_in_new_baskets_are_added(
    load: Load, rows: Rows, known: str, given: str, added: list[str | None]
) -> None:
    def file(baskets: str) -> dict[str, str]:
        other = "2025-06-01 09:00,1,z,view,z\n"  # so that no file is empty
        lines = [f"2025-06-01 09:00,1,x,view,{basket.strip()}\n" for basket in baskets]
        return {"done.csv": "at,who,sku,kind,visit\n" + other + "".join(lines)}

    load(IN_BASKETS, file(known))
    load(IN_BASKETS, file(given), LATER)

    newest = (
        "SELECT basket_id FROM raw.interaction WHERE item_id = 'x' AND load_id = "
        "(SELECT max(load_id) FROM ops.load WHERE source = 'interactions') ORDER BY 1"
    )
    assert [basket for (basket,) in rows(newest)] == added
    assert rows("SELECT count(*) FROM raw.interaction WHERE item_id = 'z'") == [(1,)]


@pytest.mark.docs
def test_ratings_from_a_threshold_on_are_purchases(load: Load, rows: Rows) -> None:
    """The example of docs/data-contract.md."""
    page = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text()
    _, _, rest = page.partition("interactions:  # ratings")
    section = "interactions:" + rest.partition("```")[0]
    content = "UserId,MovieId,Rating,Time\n1,m1,5,2025-03-01 09:00\n1,m2,3.5,2025-03-01 09:01\n"

    load(section, {"ratings.csv": content + "2,m1,4,2025-03-02 09:00\n3,m1,,2025-03-02 09:00\n"})

    assert rows("SELECT user_id, item_id, kind, weight FROM raw.interaction ORDER BY 1") == [
        ("1", "m1", "rating", 1.0),
        ("2", "m1", "rating", 1.0),
    ]
    rules = rows("SELECT rules FROM ops.load WHERE source = 'interactions'")
    assert rules == [({"liked": 2},)]


GENRES = """
items:
  files: ${HERE}/items.csv
  columns: {item_id: sku, name: name, categories: {column: genres, separator: "|"}}
"""
KINDS = "SELECT item_id, category, categories FROM raw.item ORDER BY item_id, loaded_at"


def test_an_item_with_several_categories(load: Load, rows: Rows) -> None:
    load(GENRES, {"items.csv": "sku,name,genres\nx,Alien,Horror|SciFi\ny,Heat,Crime\nz,None,\n"})

    before = [("x", "Horror", ["Horror", "SciFi"]), ("y", "Crime", None), ("z", None, None)]
    assert rows(KINDS) == before
    again = "sku,name,genres\nx,Alien,Horror|SciFi\ny,Heat,Crime|Drama\nz,None,\n"
    assert load(GENRES, {"items.csv": again}, LATER).files[-1].loaded == 1
    assert rows(KINDS) == [*before[:2], ("y", "Crime", ["Crime", "Drama"]), before[2]]

    one = GENRES.replace('categories: {column: genres, separator: "|"}', "category: genres")
    report = load(one, {"items.csv": "sku,name,genres\nx,Alien,Horror\ny,Heat,Crime\n"}, LATER)
    assert report.files[-1].loaded == 2  # each has the one category now
    assert rows(KINDS)[1] == ("x", "Horror", None)


@pytest.mark.parametrize(("which", "kept"), [("first", ["a", "b"]), ("last", ["c", "d", "e"])])
def test_several_categories_of_a_repeated_item(
    load: Load, rows: Rows, which: str, kept: list[str]
) -> None:
    files = {"items.csv": "sku,name,genres\nx,A,\nx,A,a|b\nx,A,c|d|e\nx,A,\n"}
    load(GENRES + f"  duplicates: {which}\n", files)

    assert rows(KINDS) == [("x", kept[0], kept)]


def test_a_list_column_of_parquet(load: Load, rows: Rows, tmp_path: Path) -> None:
    table = {"sku": ["x", "y"], "kinds": [["a", "b", "a"], []]}
    pq.write_table(pa.table(table), tmp_path / "items.parquet")
    load("items: {files: '${HERE}/items.parquet', columns: {item_id: sku, categories: kinds}}", {})

    assert rows(KINDS) == [("x", "a", ["a", "b"]), ("y", None, None)]


MANY = {"price": "28d", "promotion": "14d", "heat": "7d", "rain": "7d", "wind": "7d"}
AFTERWARDS = ("customers", "returns", "queue")


def test_any_number_of_covariates_of_which_some_are_known_only_afterwards(
    warehouse: Engine, rows: Rows, tmp_path: Path
) -> None:
    names = [*MANY, *AFTERWARDS]
    ahead = ", ".join(
        [*(f"{name}: {days}" for name, days in MANY.items()), "customers: false, returns: false"]
    )  # the queue is not named at all, which says the same
    extra = [name for name in names if name not in ("price", "promotion")]
    (tmp_path / "mine.yaml").write_text(
        f"""
name: mine
sales:
  files: ${{HERE}}/sales.csv
  columns: {{business_date: day, store_id: store, item_id: sku, units: qty, {
            ", ".join(f"{name}: {name}" for name in names)
        }}}
  covariates: [{", ".join(extra)}]
  known_ahead: {{{ahead}}}
"""
    )
    values = ",".join(str(number) for number in range(1, len(names) + 1))
    (tmp_path / "sales.csv").write_text(
        f"day,store,sku,qty,{','.join(names)}\n2025-03-01,a,x,2,{values}\n2025-03-02,a,x,3,{values}\n"
    )
    spec = load_spec(tmp_path / "mine.yaml")

    checked = check_dataset(spec, now=NOW)
    load_dataset(warehouse, spec, now=NOW)

    assert checked.covariates == {
        **{name: f"{days} ahead" for name, days in MANY.items()},
        **dict.fromkeys(AFTERWARDS),
    }
    sold = {name: number for number, name in enumerate(names, 1) if name in extra}
    assert rows("SELECT DISTINCT price, promotion, covariates FROM raw.sales") == [(1, 2, sold)]
    planned = {key for (key,) in rows("SELECT jsonb_object_keys(covariates) FROM raw.plan")}
    assert planned == {"heat", "rain", "wind"}

    with warehouse.connect() as conn:
        panel = read_panel(conn, AsOf(date(2025, 3, 2), LATER), days=28)
    assert set(panel.covariates) - panel.history_only == planned, "nothing else is read ahead"
