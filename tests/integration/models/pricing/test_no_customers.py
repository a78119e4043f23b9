"""Prices are not personal: who has no right on anything that names a customer can set them all."""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import daybreak.models.pricing
from daybreak.jobs.run import score_day
from daybreak.models.pricing.request import PriceRequest
from daybreak.warehouse.engine import begin, connect
from live_shop import LAST, Shelves, Shop, ask, at, serve_from, shelves, shop

READS = {
    "raw": {
        "sales",
        "plan",
        "calendar",
        "day_closed",
        "item",
        "store",
        "cost",
        "competitor_price",
        "stock",
    },
    "ops": {"price_rules", "price", "price_moment", "price_reading", "stream"},
}
"""All that says something of the shop, beside the events of the two streams that the rules name."""
OF_EVENTS = {
    "till": ["store", "sku", "quantity"],
    "feed": ["sku", "store", "rival", "price"],
}
"""Keys and amounts by the names that they have there."""
PLATFORM = {
    "feature": "%",
    "score": "%",
    "ops": "%",
}
"""Where the platform keeps what it does: versions, snapshots, generations, scores."""
CUSTOMERS = {"raw.interaction", "raw.label", "raw.event_id", "ops.decision", "feature.tile"}
"""Of what customers did, or of streams that name them."""
CLOCKS = ("stream", "loaded_at", "event_at", "business_date", "sequence")


@pytest.fixture(scope="module")
def made(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    with shelves(postgres, tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture
def here(made: Shelves) -> Iterator[Shop]:
    with shop(made) as found:
        yield found


def tables_of(here: Shop) -> set[str]:
    query = (
        "SELECT n.nspname || '.' || c.relname FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND n.nspname IN ('raw', 'feature', 'score', 'ops')"
    )
    return {name for (name,) in here.rows(query)}


@pytest.fixture
def shopkeeper(here: Shop, made: Shelves) -> Iterator[str]:
    """A login that may read what prices are made of, and keep what the platform keeps of a night.

    Of the log of streams it sees the two that the rules name, and of these the columns that they
    name: a customer is a key of the till, too.
    """
    role = f"shopkeeper_{uuid.uuid4().hex[:8]}"
    theirs = {f"{schema}.{name}" for schema, names in READS.items() for name in names}
    work = {name for name in tables_of(here) if name.partition(".")[0] in PLATFORM}
    with begin(here.owner) as conn:
        conn.execute(text(f"CREATE ROLE {role} LOGIN"))
        conn.execute(text(f"GRANT USAGE ON SCHEMA raw, feature, score, ops TO {role}"))
        conn.execute(text(f"GRANT TEMPORARY ON DATABASE {made_name(here)} TO {role}"))
        conn.execute(text(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ops TO {role}"))
        for table in sorted(theirs):
            conn.execute(text(f"GRANT SELECT ON {table} TO {role}"))
        for table in [*sorted(work - theirs - CUSTOMERS), "ops.price", "ops.price_reading"]:
            conn.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}"))
        conn.execute(text(f"GRANT SELECT ({columns_of(here)}) ON raw.event TO {role}"))
        conn.execute(text("ALTER TABLE raw.event ENABLE ROW LEVEL SECURITY"))
        named = ", ".join(f"'{name}'" for name in OF_EVENTS)
        conn.execute(
            text(
                f"CREATE POLICY named ON raw.event FOR SELECT TO {role} USING (stream IN ({named}))"
            )
        )
    yield role
    with begin(here.owner) as conn:
        conn.execute(text(f"DROP OWNED BY {role}"))
    made.postgres.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def made_name(here: Shop) -> str:
    return str(here.owner.url.database)


def columns_of(here: Shop) -> str:
    """Columns of the log that hold what the rules name, and when it happened and was known."""
    found = set(CLOCKS)
    for stream, names in OF_EVENTS.items():
        query = "SELECT keys, amounts FROM ops.stream WHERE stream = :stream"
        ((keys, amounts),) = here.rows(query, stream=stream)
        found |= {f"key_{keys.index(name) + 1}" for name in names if name in keys}
        found |= {f"amount_{amounts.index(name) + 1}" for name in names if name in amounts}
    return ", ".join(sorted(found))


def test_night_and_day_need_nothing_that_names_a_customer(here: Shop, shopkeeper: str) -> None:
    """Proposals, moved prices and answers, by who sees no customer anywhere."""
    here.clock.now = at(1)
    night = here.runtime("jobs", shopkeeper)
    night.settings = night.settings.model_copy(
        update={"warehouse_url": night.settings.warehouse_service_url}
    )
    score_day("pricing", LAST, runtime=night)
    serve_from(here.owner, at(1))
    teller = here.worker()
    here.clock.now = at(9.1)
    here.sell(teller, ("S002", "I0006"), 30)
    here.see(teller, ("S001", "I0002"), 500)
    here.clock.now = at(9.25)
    client = here.worker(shopkeeper)
    assert ask(client, ("S002", "I0006"))["source"] == "live"
    assert ask(client, ("S001", "I0002"))["source"] == "live"

    engine = here.runtime("service", shopkeeper).engine
    for table in sorted(CUSTOMERS & tables_of(here)):
        with pytest.raises(DBAPIError, match="permission denied"), connect(engine) as conn:
            conn.execute(text(f"SELECT 1 FROM {table} LIMIT 1"))
    with pytest.raises(DBAPIError, match="permission denied"), connect(engine) as conn:
        conn.execute(text("SELECT key_4 FROM raw.event LIMIT 1"))


def test_every_table_with_people_is_among_those(here: Shop) -> None:
    """A new one is added here, or it holds nothing about them."""
    query = (
        "SELECT DISTINCT table_schema || '.' || table_name FROM information_schema.columns "
        "WHERE table_schema IN ('raw') AND column_name IN ('user_id', 'basket_id', 'customer_id')"
    )
    named = {name for (name,) in here.rows(query)} & tables_of(here)
    assert named <= CUSTOMERS
    assert named


def test_no_module_of_prices_names_what_has_people() -> None:
    words = re.compile(r"interaction|user_id|basket|customer|label\b.*fraud|facts\.events")
    folder = Path(daybreak.models.pricing.__file__).parent
    for path in folder.rglob("*"):
        if path.suffix not in {".py", ".sql"}:
            continue
        code = path.read_text()
        if path.suffix == ".py":
            tree = ast.parse(code)
            names = {
                node.module if isinstance(node, ast.ImportFrom) else alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in node.names
            }
            assert not {name for name in names if name and words.search(name)}, path
            strings = [
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            code = "\n".join(strings)
        assert not words.search(code), path


def test_a_request_has_no_field_for_a_person() -> None:
    assert set(PriceRequest.model_fields) == {
        *("store_id", "item_id"),
        *("competitor_price", "stock", "demand"),
    }
    assert PriceRequest.model_config["extra"] == "forbid"
