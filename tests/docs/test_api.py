"""docs/api.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from daybreak import errors
from daybreak.models import get_model, model_names
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.forms import many_form
from daybreak.serving.http.body import DEEPEST, parse
from daybreak.serving.rows import CAPACITY
from daybreak.settings import Settings
from open_routes import of_page

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def all_errors() -> set[tuple[str, int]]:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return {(kind.code, kind.status) for kind in kinds if issubclass(kind, errors.DaybreakError)}


def test_every_error_code_is_in_the_table_with_its_status() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE)
    assert len(table) == len(set(table))
    assert {(code, int(status)) for code, status in table} == all_errors()


def test_every_route_is_described(tmp_path: Path) -> None:
    app = create_app(Runtime(Settings(home=tmp_path)), authenticator=None)  # type: ignore[arg-type]  # unused
    routes = {
        f"{method} {rule.rule.replace('<name>', '<model>')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    of_pages = {route for route in routes if of_page(route.split()[1])}
    listed = r"^\| `((?:GET|POST) [^`]+)` \|"
    assert set(re.findall(listed, PAGE, re.MULTILINE)) == routes - of_pages
    of_pages -= {"GET /ui/", "GET /ui/<path:_rest>"}
    page = (Path(__file__).parents[2] / "docs" / "page.md").read_text()
    assert set(re.findall(listed, page, re.MULTILINE)) == of_pages


@pytest.mark.parametrize("name", model_names())
def test_the_examples_are_requests_that_the_model_takes(name: str) -> None:
    model = get_model(name)
    page = PAGE.replace("'$(date -u +%FT%TZ)'", "2026-03-01T09:31:00Z")
    bodies = re.findall(rf"/{name}/predict\S* .*?-d '(.*?)'", page, re.DOTALL)
    assert bodies
    for body in bodies:
        parse(model.endpoint.request, body.encode(), many=many_form(model))


def test_every_json_block_is_json() -> None:
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        json.loads(block)


def test_the_numbers_are_those_of_the_code() -> None:
    settings = Settings.model_fields
    assert f"`DAYBREAK_REFRESH_SECONDS` ({settings['refresh_seconds'].default})" in PAGE
    assert f"`DAYBREAK_STALE_SECONDS` ({settings['stale_seconds'].default})" in PAGE
    assert f"the {CAPACITY >> 20} MB of rows" in PAGE
    assert f"nesting\ndeeper than {DEEPEST}" in PAGE
