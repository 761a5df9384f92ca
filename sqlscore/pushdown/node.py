"""One node of a graph, as operators see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnx import numpy_helper

from sqlscore.graph.nodes import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnx import NodeProto


@dataclass(frozen=True, slots=True)
class Node:
    """A node's name, operator and attributes; `opset` is that of its domain."""

    name: str
    operator: str
    opset: int
    given: dict[str, Any]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, proto: NodeProto, opset: int) -> Node:
        """The node, its attributes read."""
        return cls(
            name=proto.name or next((o for o in proto.output if o), ""),
            operator=f"{proto.domain}.{proto.op_type}" if proto.domain else proto.op_type,
            opset=opset,
            given=attributes(proto),
            outputs=tuple(proto.output),
        )

    def has(self, name: str) -> bool:
        """Whether the attribute is there."""
        return name in self.given

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        return int(self.given.get(name, default))

    def float(self, name: str, default: float) -> float:
        """A number."""
        return float(self.given.get(name, default))

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self.given.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def floats(self, name: str) -> list[Any]:
        """The numbers of a list, or of a tensor; empty where it is not there."""
        value = self.given.get(name)
        if value is None:
            return []
        if hasattr(value, "dims"):
            listed: list[Any] = numpy_helper.to_array(value).ravel().tolist()
            return listed
        return list(value)

    def plain(self, name: str) -> list[Any]:
        """The values of a tensor as Python's own; empty where it is not there."""
        listed = self.floats(name)
        return [v.decode() if isinstance(v, bytes) else v for v in listed]

    def integers(self, name: str) -> list[int]:
        """The whole numbers of a list, or of a tensor."""
        return [int(value) for value in self.floats(name)]

    def texts(self, name: str) -> list[str]:
        """The texts of a list."""
        return [v.decode() if isinstance(v, bytes) else str(v) for v in self.floats(name)]

    def labels(self, integers: str) -> Sequence[int | str]:
        """The class labels: texts, or the whole numbers of the attribute of that name."""
        return self.texts("classlabels_strings") or self.integers(integers)
