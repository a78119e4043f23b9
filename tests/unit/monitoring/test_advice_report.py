"""An advice as JSON, lines and a page: one set of numbers, whose JSON others may rely on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daybreak.errors import InvalidRequest
from daybreak.monitoring.advice import report
from daybreak.monitoring.advice.deciding import advise
from daybreak.monitoring.advice.measurements import Measurements
from daybreak.monitoring.advice.terms import Terms
from simulated_answers import SimulatedShop

SHOP = SimulatedShop(
    entities=400,
    requests=4_000,
    changes=0.5,
    loss=0.001,
    answer_seconds=0.005,
    row_seconds=0.02,
    night_seconds=4.0,
)
SCHEMA = {
    "": "schema model version advice costs break_even ranges assumes changes unknown terms "
    "measured",
    "advice": "way cache_hours sentence rule requests_a_day cost_a_day margin",
    "costs": "way night storage memory requests freshness computed p99_ms refused cache_hours "
    "total",
    "break_even": "requests cheaper_below cheaper_above",
    "ranges": "first last way cache_hours",
    "terms": "prices loss requests_a_day answer_within_ms own_inputs kept_nights peak busy",
    "terms.prices": "processor_hour memory_gb_hour gb_month",
    "measured": "model version decides need freshness night read live usage unknown",
    "measured.need": "interval_hours window_seconds due",
    "measured.freshness": "measure higher_is_better unit days answers ages night",
    "measured.freshness.ages": "hours value lost changed same",
    "measured.night": "business_date answers rows snapshot_processor_seconds "
    "score_processor_seconds server_processor_seconds wall_seconds memory_bytes stored_bytes",
    "measured.read": "count processor_seconds p50_ms p99_ms",
    "measured.live": "answer again row a_second memory_bytes server",
    "measured.usage": "requests_a_day counted_from published_share own_inputs rows_read",
}
"""The JSON of schema 1: names may be added, and then stand here too."""


def said(measured: Measurements = SHOP.measured, terms: Terms = SHOP.terms) -> dict[str, Any]:
    return json.loads(json.dumps(report.as_json(measured, terms, advise(measured, terms))))


@pytest.mark.parametrize("place", SCHEMA)
def test_the_json_has_the_names_that_others_rely_on(place: str) -> None:
    found: Any = said()
    for name in filter(None, place.split(".")):
        found = found[name]
        found = found[0] if isinstance(found, list) else found
    assert set(found) == set(SCHEMA[place].split())


def test_the_json_is_plain() -> None:
    found = said()
    assert found["schema"] == 1
    assert json.dumps(found, allow_nan=False)
    assert found["advice"]["cost_a_day"] == min(
        one["total"] for one in found["costs"] if not one["refused"]
    )


def test_measurements_that_were_written_are_decided_by_anew(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(said()))
    again = report.read_measured(file, "simulated")
    assert again == SHOP.measured
    assert said(again) == said()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "measured": {}}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(InvalidRequest, match=r"daybreak advise simulated --json"):
        report.read_measured(file, "simulated")
    file.write_text(json.dumps(said()))
    with pytest.raises(InvalidRequest, match="it is of simulated"):
        report.read_measured(file, "another")


def test_the_page_shows_the_numbers_of_the_json() -> None:
    found = said()
    html = report.page(found, SHOP.measured, advise(SHOP.measured, SHOP.terms))
    shown = [json.loads(value) for value in re.findall(r'<data value="([^"]+)">', html)]
    wanted = [
        *(one[name] for one in found["costs"] for name in ("total", "requests", "freshness")),
        *(one[name] for one in found["ranges"] for name in ("first", "last")),
        *(
            one[name]
            for one in found["measured"]["freshness"]["ages"]
            for name in ("hours", "value", "lost", "changed", "same")
        ),
    ]
    assert set(wanted) <= set(shown)
    assert found["advice"]["sentence"] in html
    assert not re.search(r"(src|href)=|<script", html), "it needs nothing beside it"


def test_names_in_the_page_are_no_markup() -> None:
    measured = replace(SHOP.measured, model="<b>", unknown=("<i>",))
    html = report.page(
        said(measured), measured, advise(measured, replace(SHOP.terms, requests_a_day=None))
    )
    assert "<b>" not in html
    assert "<i>" not in html


@pytest.mark.parametrize("whole", [True, False])
def test_the_lines_have_every_factor(whole: bool) -> None:
    measured = SHOP.measured
    if not whole:
        usage = replace(measured.usage, requests_a_day=None)
        measured = replace(measured, freshness=None, night=None, read=None, usage=usage)
    terms = replace(SHOP.terms, requests_a_day=None)
    text = "\n".join(report.lines(measured, advise(measured, terms)))
    for factor in ("Business need", "Freshness", "Resources", "Scale", "Experience"):
        assert factor in text
    assert ("168 h: " in text) is whole
