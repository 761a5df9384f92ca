"""Networks over the twenty numbers of the rows, small to large, with drawn weights."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from benchmarks.rows import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable


def dense(*sizes: int) -> bytes:
    """Layers of so many units, with Relu between them; one number comes out."""
    draw = np.random.default_rng(0)
    widths = [len(NUMBERS), *sizes, 1]
    nodes, weights, last = [], [], "x"
    for i, (left, right) in enumerate(pairwise(widths)):
        kernel = draw.standard_normal((left, right), dtype=np.float32) / np.sqrt(left)
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{i}"))
        done = i == len(sizes)
        product = "score" if done else f"m{i}"
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [product]))
        if not done:
            last = f"r{i}"
            nodes.append(helper.make_node("Relu", [product], [last]))
    graph = helper.make_graph(
        nodes, "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", len(NUMBERS)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


NETWORKS: dict[str, Callable[[], bytes]] = {
    "dense-64-64": partial(dense, 64, 64),
    "dense-512-512": partial(dense, 512, 512),
    "dense-2048-2048-2048": partial(dense, 2048, 2048, 2048),
}
