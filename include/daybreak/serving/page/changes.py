"""``/ui/promote``, ``/ui/rollback``, ``/ui/answer``: what changes something, each asked twice.

The first request shows what would be done and asks why; the second does it. Both are refused to
who may not, whatever link led here.
"""

from __future__ import annotations

from flask import Response

from daybreak.errors import InvalidRequest, NotFound
from daybreak.serving.http.auth import needs
from daybreak.serving.http.current import known
from daybreak.serving.page.acts import Acts
from daybreak.serving.page.asked import day_of, text_of, whole_of
from daybreak.serving.page.curves import chosen_curve
from daybreak.serving.page.frame import (
    acting,
    blueprint,
    html,
    page_of_app,
    seen_models,
    shown,
    to,
)
from daybreak.serving.page.models import FRESH, HISTORY, MOST_VERSIONS, as_json
from daybreak.serving.page.reading import reading
from daybreak.serving.service import current_service
from daybreak.serving.turn import pass_on


@blueprint.get("/promote")
@needs("predict")
def ask_to_promote() -> Response:
    """A version beside the one that it would replace."""
    model, version = _model(), text_of("version")
    acting(model)
    with reading(current_service().runtime) as ask:
        history = ask(HISTORY, model=model, most=MOST_VERSIONS)
    rows = [row for row in history if row["version"] == version]
    if not rows:
        raise NotFound(f"{model} has no such version.", remedy="Choose one under Models.")
    now = current_service().runtime.clock()
    in_force = (row for row in history if row["effective_from"] and row["effective_from"] <= now)
    return html(
        "promote.html",
        "Put a version in force",
        active="models",
        model=model,
        row=rows[0],
        champion=next(in_force, None),
        measured=as_json(rows[0]["evidence"] or rows[0]["metrics"]),
    )


@blueprint.post("/promote")
@needs("predict")
def promote() -> Response:
    """Puts it in force."""
    model = _model()
    acts = acting(model)
    pass_on()
    done = acts.promote(model, text_of("version"), text_of("reason"), person=_person())
    return _go_on("models", model=model, done="promoted" if done["written"] else "same")


@blueprint.get("/rollback")
@needs("predict")
def ask_to_roll_back() -> Response:
    """What would be withdrawn."""
    model = _model()
    acting(model)
    with reading(current_service().runtime) as ask:
        fresh = ask(FRESH, model=model)
    if not fresh or fresh[0]["newest"] is None:
        raise NotFound(f"Nothing of {model} is published.", remedy="There is nothing to withdraw.")
    return html(
        "rollback.html",
        "Roll back",
        active="models",
        model=model,
        row=fresh[0],
        day=day_of("business_date") or fresh[0]["newest"],
    )


@blueprint.post("/rollback")
@needs("predict")
def roll_back() -> Response:
    """Withdraws it."""
    model, day = _model(), day_of("business_date")
    acts = acting(model)
    if day is None:
        raise InvalidRequest("No business date is named.", remedy="Begin under Models.")
    pass_on()
    acts.roll_back(model, day, text_of("reason"), person=_person())
    return _go_on("models", model=model, done="rolled-back")


@blueprint.get("/answer")
@needs("predict")
def ask_to_agree() -> Response:
    """What was scored and waits for somebody who agrees; of prices, the demand curve of one."""
    generation = _generation()
    asked = _acts().asked(generation)
    acting(asked["model"])
    model = current_service().model(asked["model"])
    curve = chosen_curve(model, generation) if asked["subject"] else None
    return shown(
        "answer.html",
        "Agree?",
        [chart.table for chart in curve.charts] if curve else [],
        active="",
        asked=asked,
        generation=generation,
        curve=curve,
    )


@blueprint.post("/answer")
@needs("predict")
def answer() -> Response:
    """Keeps the answer, and publishes what was agreed to."""
    generation, said, most = _generation(), text_of("answer"), whole_of("most", 0, 10**9)
    acts = _acts()
    acting(acts.asked(generation)["model"])
    if said == "approve" and most is not None:
        said = "cap"
    published = acts.answer(generation, said, text_of("reason"), most, person=_person())
    return _go_on("answered", outcome="published" if published else "rejected")


@blueprint.get("/answered")
@needs("predict")
def answered() -> Response:
    """What followed from an answer."""
    return html("answered.html", "Answered", active="", published=text_of("outcome") == "published")


def _model() -> str:
    name = text_of("model")
    if name not in seen_models():
        raise NotFound("There is no such model here.", remedy="Choose one under Models.")
    return name


def _generation() -> int:
    found = whole_of("generation", 1)
    if found is None:
        raise InvalidRequest("No generation is named.", remedy="Follow a link under Today.")
    return found


def _acts() -> Acts:
    """What asks about generations of any model: whose it is, it says itself, and who may not is
    refused then. Raises ``Forbidden`` where nothing can be done from here."""
    pass_on()
    acts = page_of_app().acts
    return acts if acts is not None else acting("")


def _person() -> str:
    return f"{known().caller.name} (page)"


def _go_on(path: str, **values: str) -> Response:
    return Response(status=303, headers={"Location": to(path, **values)})
