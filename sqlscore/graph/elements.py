"""ONNX's element types by name, and what a value of a graph holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from sqlscore.types import ARROW_TYPES

if TYPE_CHECKING:
    from onnx import TypeProto

#: names as ONNX Runtime prints them; only those that a column can hold
ELEMENTS: dict[int, str] = {
    number: name for name in ARROW_TYPES for number in [TensorProto.DataType.Value(name.upper())]
}


def element_of(type_: TypeProto) -> str | None:
    """The element type of a tensor, or of a sequence of maps to numbers; None for all else."""
    kind = type_.WhichOneof("value")
    if kind == "tensor_type":
        return ELEMENTS.get(type_.tensor_type.elem_type)
    if kind == "sequence_type" and type_.sequence_type.elem_type.HasField("map_type"):
        return element_of(type_.sequence_type.elem_type.map_type.value_type)
    return None
