"""Checks the bytes of a booster in Python before XGBoost's C code reads them.

Measured with XGBoost 3.2: an empty file aborts the process, which no ``except`` catches, and some
files that were cut short never return. So every booster of a version is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import InvalidBooster
from daybreak.registry.artifact import Artifact
from daybreak.registry.ubjson import NotUbjson, loads

if TYPE_CHECKING:
    import xgboost

REMEDY = (
    'Give what `booster.save_raw("ubj")` returned, of a booster trained on the features that the '
    "manifest lists. A version that is registered with such a file is of no use: promote another."
)
LEAF = -1
NO_PARENT = (2**31 - 1, -1)
NODE_ARRAYS = (
    "left_children",
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "default_left",
)


class _Unfit(ValueError):
    """What is wrong with a booster, as the end of a sentence."""


def open_booster(artifact: Artifact) -> xgboost.Booster:
    """The booster of a version. Raises ``InvalidBooster`` where its bytes are none."""
    # Loading or listing versions needs no XGBoost.
    import xgboost  # noqa: PLC0415

    name = f"{artifact.model} {artifact.version}"
    check_booster(artifact.booster, artifact.manifest, name)
    try:
        return xgboost.Booster(model_file=bytearray(artifact.booster))
    except xgboost.core.XGBoostError as error:
        raise _invalid(name, str(error).partition("Stack trace")[0].strip()) from error


def check_booster(data: bytes, manifest: Mapping[str, Any], name: str) -> None:
    """Raise ``InvalidBooster`` unless XGBoost can read and ask ``data`` safely.

    It is whole UBJSON of a learner; trees lead to nodes and features that are there, and back to
    no node twice; features and outputs are as many as the manifest lists, where it lists them.
    ``name``: of the version, for the message. Takes some 0.1 ms a tree.
    """
    try:
        for kind, found in zip(("features", "outputs"), _sizes(data), strict=True):
            listed = manifest.get(kind)
            if listed is not None and len(listed) != found:
                raise _Unfit(f"it has {found} {kind}, the manifest lists {len(listed)}")
    except (NotUbjson, _Unfit) as fault:
        raise _invalid(name, str(fault)) from fault


@lru_cache(maxsize=4)  # shards of a run in one process each open the same version
def _sizes(data: bytes) -> tuple[int, int]:
    """How many features and outputs a whole and sound learner has."""
    learner = _learner(data)
    parameters = _part(learner, "learner_model_param")
    features = _count(parameters, "num_feature")
    outputs = max(1, _count(parameters, "num_class"), _count(parameters, "num_target"))
    trees = _part(learner, "gradient_booster")
    trees = trees.get("gbtree", trees)  # dart holds trees and their weights
    model = _part(trees, "model")
    if trees.get("name") == "gblinear":
        if len(_array(model, "weights")) != (features + 1) * outputs:
            raise _Unfit("its weights are not one for each feature and output")
    else:
        _check_trees(model, features, outputs)
    return features, outputs


def _learner(data: bytes) -> dict[str, Any]:
    if not data:
        raise _Unfit("it is empty")
    if data[:1] != b"{":
        raise _Unfit("it does not begin like UBJSON")
    if data[1:2] in (b'"', b" ", b"\n", b"\t", b"\r"):
        raise _Unfit("it is JSON, not UBJSON")
    content = loads(data)
    learner = content.get("learner")
    if not isinstance(learner, dict):
        raise _Unfit("it holds no learner")
    return learner


def _check_trees(model: Mapping[str, Any], features: int, outputs: int) -> None:
    trees, output_of = model.get("trees"), _array(model, "tree_info")
    if not isinstance(trees, list) or len(trees) != len(output_of):
        raise _Unfit("its number of trees is not that of its list")
    if _count(_part(model, "gbtree_model_param"), "num_trees") != len(trees):
        raise _Unfit("trees are missing")
    if len(trees) and not 0 <= output_of.min() <= output_of.max() < outputs:
        raise _Unfit("a tree adds to an output that it does not have")
    rounds = _array(model, "iteration_indptr")
    if len(rounds) and (
        rounds[0] != 0 or rounds[-1] != len(trees) or (np.diff(rounds.astype(np.int64)) < 0).any()
    ):
        raise _Unfit("its rounds are not made of its trees")
    for number, tree in enumerate(trees):
        try:
            _check_tree(tree, features)
        except _Unfit as fault:
            raise _Unfit(f"tree {number}: {fault}") from fault


def _check_tree(tree: object, features: int) -> None:
    if not isinstance(tree, dict):
        raise _Unfit("it is none")
    arrays = [_array(tree, name) for name in NODE_ARRAYS]
    size = _part(tree, "tree_param")
    nodes = _count(size, "num_nodes")
    if not nodes or any(len(values) != nodes for values in arrays):
        raise _Unfit("its arrays do not have a value for each node")
    left, right, parents, split = arrays[:4]
    inner = left != LEAF
    one_number = _count(size, "size_leaf_vector") <= 1  # else the right child is a leaf's place
    leaf_right = right[~inner]
    if one_number and (leaf_right != LEAF).any():
        raise _Unfit("a node has one child")
    if len(leaf_right) and not LEAF <= leaf_right.min() <= leaf_right.max() < nodes:
        raise _Unfit("a leaf has no place")
    asked = split[inner]
    if not len(asked):
        return
    children = np.concatenate([left[inner], right[inner]])
    if not 0 < children.min() <= children.max() < nodes:
        raise _Unfit("a node leads to one that is not there")
    # With one parent each and none at the root, what the root leads to has no circle.
    if np.bincount(children).max() > 1 or parents[0] not in NO_PARENT:
        raise _Unfit("two nodes lead to the same one")
    if (parents[children] != np.tile(np.flatnonzero(inner), 2)).any():
        raise _Unfit("a node names another parent than leads to it")
    if not 0 <= asked.min() <= asked.max() < features:
        raise _Unfit("a node asks for a feature that is not there")


def _part(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise _Unfit(f"it has no {name}")
    return value


def _array(parent: Mapping[str, Any], name: str) -> NDArray[Any]:
    value = parent.get(name)
    if not isinstance(value, list | np.ndarray):
        raise _Unfit(f"it has no {name}")
    array = np.asarray(value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iufb"):
        raise _Unfit(f"its {name} are no numbers")
    return array


def _count(parent: Mapping[str, Any], name: str) -> int:
    value = parent.get(name)
    if not isinstance(value, str) or not value.isdecimal():
        raise _Unfit(f"its {name} is not a number")
    return int(value)


def _invalid(name: str, fault: str) -> InvalidBooster:
    return InvalidBooster(f"The booster of {name} cannot be used: {fault}.", remedy=REMEDY)
