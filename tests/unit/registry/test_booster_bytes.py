"""Whatever bytes come as a booster: XGBoost sees only what it can read and ask safely."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.errors import InvalidBooster
from daybreak.registry.artifact import Artifact
from daybreak.registry.booster import check_booster, open_booster
from daybreak.registry.ubjson import NotUbjson, loads
from daybreak.scoring.engines.predictor import Predictor

MANIFEST = {"features": ["a", "b", "c"], "outputs": ["low", "high"]}
X = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
Y = np.stack([X[:, 0], X[:, 1] * 2], axis=1)
KINDS: dict[str, dict[str, Any]] = {
    "pruned": {"gamma": 20, "max_depth": 6},
    "one leaf": {"gamma": 1e9},
    "forest": {"num_parallel_tree": 2},
    "dart": {"booster": "dart"},
    "linear": {"booster": "gblinear"},
    "vector leaves": {"multi_strategy": "multi_output_tree"},
}


@cache
def booster(kind: str = "pruned", rounds: int = 3) -> bytes:
    params = {"nthread": 1, "base_score": 0} | KINDS[kind]
    return bytes(xgboost.train(params, xgboost.DMatrix(X, Y), rounds).save_raw("ubj"))


def artifact(data: bytes, manifest: dict[str, Any] = MANIFEST) -> Artifact:
    return Artifact("demo", "v1", data, manifest)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_booster_is_opened(kind: str) -> None:
    assert open_booster(artifact(booster(kind))).num_features() == 3
    assert open_booster(artifact(booster(kind), {})).num_features() == 3, "nothing is listed"


def test_it_is_read_as_xgboost_wrote_it() -> None:
    def lists(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else value

    written = json.loads(xgboost.Booster(model_file=bytearray(booster())).save_raw("json"))
    read = loads(booster())
    assert read["version"] == written["version"]
    boosters = [content["learner"]["gradient_booster"] for content in (read, written)]
    trees = [one["model"]["trees"] for one in boosters]
    for ours, theirs in zip(*trees, strict=True):
        for name in ("left_children", "split_indices", "parents"):
            assert lists(ours[name]) == theirs[name]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "it is empty"),
        (b"hello world", "does not begin like UBJSON"),
        (b"PK\x03\x04" + bytes(60), "does not begin like UBJSON"),
        (b"{", "cut short"),
        (b"{}", "holds no learner"),
        (b'{"learner": {}}', "it is JSON, not UBJSON"),
        (booster()[:100], "cut short"),
        (booster()[: len(booster()) // 2], "cut short"),
        (booster()[:-1], "cut short"),
        (booster() + b"x", "1 bytes follow its end"),
        (booster()[:1] + b"L\xff\xff\xff\xff\xff\xff\xff\xff" + booster()[10:], "is negative"),
    ],
)
def test_what_is_no_booster_is_refused_before_xgboost_sees_it(data: bytes, fault: str) -> None:
    with pytest.raises(InvalidBooster, match=fault) as caught:
        Predictor(artifact(data))
    assert "The booster of demo v1 cannot be used" in caught.value.message
    assert "save_raw" in caught.value.remedy


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        ({"features": ["a", "b"]}, "it has 3 features, the manifest lists 2"),
        ({"outputs": ["one"]}, "it has 2 outputs, the manifest lists 1"),
    ],
)
def test_one_that_answers_another_question_is_refused(manifest: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidBooster, match=fault):
        open_booster(artifact(booster(), manifest))


def changed(name: bytes, place: int, value: int) -> bytes:
    """The booster with another number in the last array of that name."""
    data = bytearray(booster())
    start = data.rindex(name + b"[$l#L") + len(name) + 5 + 8
    data[start + 4 * place : start + 4 * place + 4] = struct.pack(">i", value)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (lambda: changed(b"left_children", 0, 10**6), "leads to one that is not there"),
        (lambda: changed(b"left_children", 0, -7), "leads to one that is not there"),
        (lambda: changed(b"left_children", 0, 2), "two nodes lead to the same one"),
        (lambda: changed(b"left_children", 0, -1), "a node has one child"),
        (lambda: changed(b"parents", 1, 2), "another parent than leads to it"),
        (lambda: changed(b"split_indices", 0, 3), "a feature that is not there"),
        (lambda: booster().replace(b"num_nodes", b"num_nodez", 1), "tree 0: its num_nodes is no"),
        (lambda: booster().replace(b"tree_info", b"tree_inf0", 1), "it has no tree_info"),
    ],
)
def test_trees_that_lead_nowhere_are_refused(data: Callable[[], bytes], fault: str) -> None:
    with pytest.raises(InvalidBooster, match=fault):
        check_booster(data(), MANIFEST, "demo v1")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_is_an_error_of_ours_or_harmless(data: st.DataObject) -> None:
    damaged = bytearray(booster())
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        check_booster(bytes(damaged), MANIFEST, "demo v1")
    except InvalidBooster:
        return
    loads(bytes(damaged))


def test_other_values_of_ubjson_are_read_too() -> None:
    text = b"[i\x01U\xffI\x00\x02l\x00\x00\x00\x03TFZC\x41SU\x01bd\x3f\x80\x00\x00[#U\x01T]"
    assert loads(text) == [1, 255, 2, 3, True, False, None, "A", "b", 1.0, [True]]
    for broken in (b"[" * 100, b"{U\x01aTU\x01aT}", b"[$TU\x01", b"SU\x01\xff", b"SL", b"N"):
        with pytest.raises(NotUbjson):
            loads(broken)
