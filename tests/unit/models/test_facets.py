"""What models are given and asked, and what they are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import toy
from daybreak.errors import InvalidRequest, NotFound, NotReady
from daybreak.models.base import NO_ENTITIES, Answers, Day, Given, Model, Questions, Trained
from daybreak.models.schedule import Schedule, ScoresOf
from daybreak.registry.artifact import Artifact, engine_of
from daybreak.scoring.engines.engine import differing_features, expect_features
from daybreak.scoring.engines.formula import Formula
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.engines.predictor import Predictor


class Asked(BaseModel):
    on: date
    units: float | None = None
    names: list[str] = []


def test_questions_are_the_fields_of_the_requests_as_columns() -> None:
    day = date(2026, 2, 1)
    questions = Questions.of([Asked(on=day, units=0.1), Asked(on=day, names=["a", "b"])])
    assert len(questions) == 2
    assert questions.entity.tolist() == [0, 1]
    assert questions.entity.dtype == np.int64
    assert questions.columns.keys() == {"on", "units", "names"}
    assert all(column.shape == (2,) for column in questions.columns.values())
    assert questions.columns["names"].tolist() == [[], ["a", "b"]], "a list is one value"
    assert questions.columns["on"].astype("M8[D]").tolist() == [day, day]


def test_a_number_that_was_not_given_is_nan() -> None:
    questions = Questions.of([Asked(on=date(2026, 2, 1), units=0.1), Asked(on=date(2026, 2, 1))])
    units = questions.number("units")
    assert units.dtype == np.float32
    assert units[0] == np.float32(0.1)
    assert np.isnan(units[1])
    assert np.isnan(questions.number("moons")).tolist() == [True, True], "nor is a whole column"
    assert Questions(np.arange(3)).number("units").shape == (3,)


def test_answers_are_cut_by_question() -> None:
    columns = {"item": np.array(["a", "b", "c"], object), "score": np.arange(3, dtype=np.float32)}
    one_each = Answers(columns)
    assert len(one_each) == 3
    assert {name: values.tolist() for name, values in one_each.of(1).items()} == {
        "item": ["b"],
        "score": [1.0],
    }
    lists = Answers(columns, np.array([0, 2, 2, 3]))
    assert [lists.of(question)["item"].tolist() for question in range(3)] == [["a", "b"], [], ["c"]]


def test_nothing_is_given_where_nothing_is_declared() -> None:
    given = Given()
    assert (len(given.entities), given.scores, given.identity) == (0, {}, {})
    assert given.entities is NO_ENTITIES
    assert Day() == Day(None, {})


def test_a_model_without_a_night_says_so() -> None:
    model = replace(toy.TOY, nightly=None, reads=(ScoresOf("other"),))
    with pytest.raises(NotFound, match="toy is not scored nightly") as error:
        model.night  # noqa: B018
    assert "Ask the endpoint" in error.value.remedy
    assert model.keys == ()
    assert model.inputs == (ScoresOf("other"),)


def test_a_nightly_model_reads_what_its_schedule_says() -> None:
    class OnScores(toy.ToyNightly):
        schedule = Schedule(inputs=(ScoresOf("other"),))

    model = replace(toy.TOY, nightly=OnScores())
    assert model.inputs == (ScoresOf("other"),)
    assert toy.TOY.inputs == ()
    assert model.keys == ("store_id", "item_id")
    with pytest.raises(ValueError, match="its schedule says what it reads"):
        Model("both", toy.TOY.endpoint, toy.ToyScorer, nightly=OnScores(), reads=(ScoresOf("x"),))


def test_a_night_asks_about_each_entity_once_unless_it_says_otherwise() -> None:
    class Once(toy.ToyNightly):
        questions = toy.Nightly.questions
        rows_per_entity = toy.Nightly.rows_per_entity

    assert Once().questions(Day(toy.DAY), 3).entity.tolist() == [0, 1, 2]
    assert Once().rows_per_entity(Day(toy.DAY)) == 1
    assert Once().audit({}, Day(toy.DAY)) == []
    assert (Once().record_layout(), Once().context_layout()) == ((), ())


def test_a_formula_has_no_trees() -> None:
    with pytest.raises(ValueError, match="a formula has no trees"):
        Trained(None, {}).trees  # noqa: B018
    assert Trained(b"trees", {}).trees == b"trees"


# --- engines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "engine"),
    [({}, "xgboost"), ({"engine": "xgboost"}, "xgboost"), ({"engine": "none"}, "none")],
)
def test_the_manifest_names_the_engine(manifest: dict[str, Any], engine: str) -> None:
    assert engine_of(manifest) == engine
    assert Artifact("toy", "1", b"", manifest).engine == engine


@pytest.mark.parametrize("engine", ["llm", None, 1, ""])
def test_an_unknown_engine_is_refused(engine: object) -> None:
    with pytest.raises(InvalidRequest, match="The manifest's engine is") as error:
        engine_of({"engine": engine})
    assert error.value.details["field"] == "engine"
    assert "xgboost" in error.value.remedy


def test_the_engine_of_a_formula_has_no_margins() -> None:
    engine = open_engine(Artifact("toy", "1", b"", {"engine": "none"}))
    assert isinstance(engine, Formula)
    assert engine.name == "none"
    for ask in (engine.batch, engine.single):
        margins = ask(np.empty((3, 0), np.float32))
        assert (margins.shape, margins.dtype) == ((3, 0), np.float32)


def test_the_engine_of_trees_is_xgboost() -> None:
    engine = open_engine(Artifact("toy", "1", toy.booster(), {}), threads=1)
    assert isinstance(engine, Predictor)
    assert engine.batch(np.zeros((2, 4), np.float32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("listed", "names", "differing"),
    [
        (["a", "b"], ["a", "b"], []),
        ([{"name": "a", "dtype": "float32"}, "b"], ["a", "b"], []),
        (["b", "a"], ["a", "b"], ["their order"]),
        (["a", "c"], ["a", "b"], ["b", "c"]),
        (None, [], ["None"]),
        ([], [], []),
        (["a"], [], ["a"]),
    ],
)
def test_features_are_compared_by_name_and_place(
    listed: Any, names: list[str], differing: list[str]
) -> None:
    manifest = {"features": listed}
    assert differing_features(manifest, names) == differing
    artifact = Artifact("toy", "1", b"", manifest)
    if not differing:
        expect_features(artifact, names)
        return
    with pytest.raises(NotReady, match="was trained on other features") as error:
        expect_features(artifact, names)
    assert error.value.details["features"] == differing
