"""The tests of single operators that the onnx package brings, as models over columns of a table.

A test's first input, and others of its shape, become columns: one row an entry of the first
dimension, all further ones side by side. What else goes in is a constant of the model.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sqlscore.pushdown.operators.table import OPERATORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_MOST_COLUMNS = 64
_SMALL = {np.dtype(t) for t in (np.float32, np.float64, np.int64, np.int32, np.bool_, object)}


@dataclass(frozen=True)
class NodeCase:
    """One test of the package."""

    name: str
    model: bytes
    columns: dict[str, list[Any]]
    widths: dict[str, int]  #: columns of each input
    sizes: dict[str, int]  #: values a row of each output
    first: bool  #: the first one of its operator, or an operator of machine learning

    @property
    def features(self) -> list[str]:
        """The names of all columns, in the order of the inputs."""
        return list(self.columns)


@cache
def cases() -> list[NodeCase]:
    """The tests of the operators that have a SQL form, where they can be put into a table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case import node as package

        _load(package, {name for domain, name in OPERATORS if not domain})
        from onnx.backend.test.case.node import ai_onnx_ml

        _load(ai_onnx_ml, {name for domain, name in OPERATORS if domain})
    return sorted(_tables(package._NodeTestCases), key=lambda case: case.name)


def _load(package: ModuleType, operators: set[str]) -> None:
    """Import the modules of those operators; each notes its tests in the package."""
    wanted = {name.lower() for name in operators}
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.replace("_", "") in wanted:
            importlib.import_module(f"{package.__name__}.{found.name}")


def _tables(tests: list[Any]) -> Iterator[NodeCase]:
    seen: set[Any] = set()
    for test in tests:
        named = [(node.domain, node.op_type) for node in test.model.graph.node]
        if not {*named} <= {*OPERATORS} or test.name in seen:
            continue
        made = _table(test.name, test.model, test.data_sets[0][0])
        if made is not None:
            first = named[0] not in seen or any(domain for domain, _ in named)
            yield dataclasses.replace(made, first=first)
            seen |= {test.name, named[0]}


def _table(name: str, given: onnx.ModelProto, values: Any) -> NodeCase | None:
    arrays = [v for v in values if isinstance(v, np.ndarray)]
    if len(arrays) != len(given.graph.input) or not arrays or arrays[0].ndim == 0:
        return None
    shape = arrays[0].shape
    rows, width = shape[0], int(np.prod(shape[1:]))
    if not 0 < width <= _MOST_COLUMNS or not rows:
        return None
    model = onnx.ModelProto()
    model.CopyFrom(given)
    columns: dict[str, list[Any]] = {}
    widths: dict[str, int] = {}
    for value, array in zip(list(model.graph.input), arrays, strict=True):
        if array.shape != shape or array.dtype not in _SMALL:
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
            continue
        flat = array.reshape(rows, width)
        names = [f"{value.name}_{i}" for i in range(width)] if width > 1 else [value.name]
        columns |= dict(zip(names, flat.T.tolist(), strict=True))
        widths[value.name] = len(names)
    del model.graph.input[:]
    for value in given.graph.input:
        if value.name in widths:
            kind = value.type.tensor_type.elem_type
            sides: list[int | None] = [None, width] if len(shape) > 1 else [None]
            model.graph.input.append(helper.make_tensor_value_info(value.name, kind, sides))
    model.ir_version = min(max(model.ir_version, 4), 10)
    shaped = _shaped(model)
    sizes = {output.name: _size(output) for output in shaped.graph.output}
    if not widths or not all(sizes.values()):
        return None
    return NodeCase(
        name=name, model=shaped.SerializeToString(), columns=columns, widths=widths, sizes=sizes,
        first=False,
    )  # fmt: skip


def _shaped(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that its outputs have now, where onnx can tell."""
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model)


def _size(output: onnx.ValueInfoProto) -> int:
    """How many values a row an output has; 0 where it is not one row for each that goes in."""
    dims = output.type.tensor_type.shape.dim
    if not dims or dims[0].HasField("dim_value"):
        return 0
    return int(np.prod([dim.dim_value for dim in dims[1:]]))
