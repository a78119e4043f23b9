"""The twin: a booster's trees as one ONNX graph, for single rows in microseconds.

Built here and not by the stock converter, which is wrong for several outputs and applies links
of its own. The graph is nothing but the trees: it takes features and gives margins. A twin is
trusted only after ``prove`` found its margins equal to the booster's bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import onnxruntime
import xgboost
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, TensorProto, helper

from daybreak.types import Float32

PROBE_ROWS = 256
_OUTPUTS = ["margins"]
_OPSETS = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 17)]
_IR_VERSION = 8  # goes with these opsets; every ONNX Runtime of recent years reads it


class NotCompilableError(ValueError):
    """The booster has something that the tree operator cannot express; the message says what."""


@dataclass(frozen=True)
class Tree:
    """One tree without the nodes that pruning cut off; node arrays are (nodes,).

    ``output``: which margin it adds to. ``value``: threshold of a split, weight of a leaf.
    ``cover``: sum of the hessians of the rows that came by in training.
    """

    output: int
    node: NDArray[np.int64]
    is_leaf: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    value: Float32
    missing_left: NDArray[np.int64]
    cover: Float32


@dataclass(frozen=True)
class Forest:
    """A booster's trees in the order in which it adds them up.

    ``base_score``: what it starts from, as XGBoost writes it; the twin starts from 0.
    """

    features: int
    outputs: int
    base_score: str
    trees: tuple[Tree, ...]

    def thresholds(self) -> list[Float32]:
        """The distinct thresholds on each feature."""
        splits = [~tree.is_leaf for tree in self.trees]
        pairs = list(zip(self.trees, splits, strict=True))
        feature = np.concatenate([tree.feature[split] for tree, split in pairs])
        value = np.concatenate([tree.value[split] for tree, split in pairs])
        return [np.unique(value[feature == index]) for index in range(self.features)]


class Twin:
    """``margins(X)`` of single rows and small batches, on one thread.

    With two threads ONNX Runtime adds up trees in another order, and batches beyond 50 rows are
    no longer equal bit for bit.
    """

    def __init__(self, forest: Forest) -> None:
        self._session = session_of(build_graph(forest))

    def margins(self, X: Float32) -> Float32:
        """Float32 (m, F) to float32 (m, K)."""
        margins: Float32 = self._session.run(_OUTPUTS, {"X": X})[0]
        return unsigned_zero(margins)


def read_forest(booster: xgboost.Booster) -> Forest:
    """The trees of a booster. Raises ``NotCompilableError``.

    XGBoost writes the shortest decimal that gives the same float32 back, so JSON loses nothing.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    gradient_booster = learner["gradient_booster"]
    if gradient_booster["name"] != "gbtree":
        raise NotCompilableError(f"a booster of kind {gradient_booster['name']}")
    size = learner["learner_model_param"]
    model = gradient_booster["model"]
    return Forest(
        features=int(size["num_feature"]),
        base_score=size["base_score"],
        outputs=max(1, int(size["num_class"]), int(size["num_target"])),
        trees=tuple(map(_read_tree, model["trees"], model["tree_info"])),
    )


@dataclass(frozen=True)
class Targets:
    """What leaves add to outputs, (targets,) each: tree, its leaf, the output, the weight."""

    tree: NDArray[np.int64]
    leaf: NDArray[np.int64]
    output: NDArray[np.int64]
    weight: Float32


def build_graph(forest: Forest) -> ModelProto:
    """One ``TreeEnsembleRegressor`` from ``X`` (m, F) to ``margins`` (m, K)."""
    leaves = [tree.node[tree.is_leaf] for tree in forest.trees]
    counts = [*map(len, leaves)]
    targets = Targets(
        np.repeat(np.arange(len(leaves)), counts),
        np.concatenate(leaves),
        np.repeat([tree.output for tree in forest.trees], counts),
        np.concatenate([tree.value[tree.is_leaf] for tree in forest.trees]),
    )
    return tree_graph(forest, targets, forest.outputs)


def tree_graph(forest: Forest, targets: Targets, outputs: int) -> ModelProto:
    """The trees of a forest, each of whose leaves adds to some of so many ``margins``."""
    trees = forest.trees
    nodes = [len(tree.node) for tree in trees]
    split = [np.where(tree.is_leaf, 0, 1) for tree in trees]

    def flat(arrays: Iterator[NDArray[Any]]) -> list[Any]:
        return list(np.concatenate([*arrays]).tolist())

    modes = np.array([b"LEAF", b"BRANCH_LT"], object)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        _OUTPUTS,
        domain="ai.onnx.ml",
        n_targets=outputs,
        aggregate_function="SUM",
        post_transform="NONE",
    )
    node.attribute.extend(
        [
            _integers("nodes_treeids", np.repeat(np.arange(len(trees)), nodes).tolist()),
            _integers("nodes_nodeids", flat(tree.node for tree in trees)),
            _integers("nodes_featureids", flat(tree.feature for tree in trees)),
            _integers("nodes_truenodeids", flat(tree.left for tree in trees)),
            _integers("nodes_falsenodeids", flat(tree.right for tree in trees)),
            _integers("nodes_missing_value_tracks_true", flat(t.missing_left for t in trees)),
            _floats(
                "nodes_values",
                flat(np.where(tree.is_leaf, np.float32(0), tree.value) for tree in trees),
            ),
            _texts("nodes_modes", list(chain.from_iterable(modes[kind] for kind in split))),
            _integers("target_treeids", targets.tree.tolist()),
            _integers("target_nodeids", targets.leaf.tolist()),
            _integers("target_ids", targets.output.tolist()),
            _floats("target_weights", targets.weight.tolist()),
        ]
    )
    graph = helper.make_graph(
        [node],
        "twin",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["m", forest.features])],
        [helper.make_tensor_value_info("margins", TensorProto.FLOAT, ["m", outputs])],
    )
    return helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)


def session_of(graph: ModelProto) -> onnxruntime.InferenceSession:
    """A graph on one thread, ready to be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def probe_rows(forest: Forest, rows: int = PROBE_ROWS) -> Float32:
    """Rows (rows, F) where a wrong tree would show: at, just below and just above thresholds.

    Each threshold is taken as often as others of its feature. One value in six is missing. Always
    the same rows for the same forest.
    """
    rng = np.random.default_rng(20260101)
    probes = np.full((rows, forest.features), np.nan, np.float32)
    for index, thresholds in enumerate(forest.thresholds()):
        if len(thresholds):
            at = rng.permutation(np.resize(rng.permutation(thresholds), rows))
            below, above = np.nextafter(at, -np.inf), np.nextafter(at, np.inf)
            kind = rng.integers(0, 6, rows)
            probes[:, index] = np.choose(kind, [at, at, below, above, rng.permutation(at), np.nan])
    return probes


def prove(
    twin: Twin, forest: Forest, booster: xgboost.Booster, probes: Float32 | None = None
) -> str:
    """Compare margins over the probe rows, together and one by one. Empty where all bits agree."""
    if probes is None:
        probes = probe_rows(forest)
    expected = booster.inplace_predict(probes, predict_type="margin", strict_shape=True)
    together = twin.margins(probes)
    alone = np.concatenate([twin.margins(row[None]) for row in probes])
    wrong = _differs(together, expected) | _differs(alone, expected)
    if not wrong.any():
        return ""
    return (
        f"the margins of {wrong.sum()} of {len(wrong)} probe rows differ "
        f"(base_score is {forest.base_score})"
    )


def unsigned_zero(margins: Float32) -> Float32:
    """Margins with -0 written as 0.

    XGBoost starts a logistic booster from -log(1 / 0.5 - 1), which is -0, and a sum of nothing
    but -0 keeps its sign; the tree operator starts from 0.
    """
    return margins + np.float32(0)


def _differs(margins: Float32, expected: Float32) -> NDArray[np.bool_]:
    bits, expected_bits = (unsigned_zero(m).view(np.uint32) for m in (margins, expected))
    differs: NDArray[np.bool_] = (bits != expected_bits).any(axis=1)
    return differs


def _read_tree(tree: dict[str, Any], output: int) -> Tree:
    if tree["tree_param"]["size_leaf_vector"] not in ("0", "1"):
        raise NotCompilableError("trees with a vector in each leaf (multi_output_tree)")
    if tree["categories_nodes"]:
        raise NotCompilableError("splits on categories")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    node = _reachable(left, right)
    is_leaf = left[node] < 0
    return Tree(
        output=output,
        node=node,
        is_leaf=is_leaf,
        left=np.where(is_leaf, 0, left[node]),
        right=np.where(is_leaf, 0, right[node]),
        feature=np.where(is_leaf, 0, np.array(tree["split_indices"], np.int64)[node]),
        value=np.array(tree["split_conditions"], np.float32)[node],
        missing_left=np.where(is_leaf, 0, np.array(tree["default_left"], np.int64)[node]),
        cover=np.array(tree["sum_hessian"], np.float32)[node],
    )


def _reachable(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nodes that lead back to the root, in order; pruning leaves others behind in the arrays."""
    seen = np.zeros(len(left), bool)
    level = np.array([0])
    while len(level):
        seen[level] = True
        inner = level[left[level] >= 0]
        level = np.concatenate([left[inner], right[inner]])
    return np.flatnonzero(seen)


# The helper of onnx checks every element in Python, which takes seconds for a large forest.


def _integers(name: str, values: list[int]) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.INTS, ints=values)


def _floats(name: str, values: list[float]) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.FLOATS, floats=values)


def _texts(name: str, values: list[bytes]) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.STRINGS, strings=values)
