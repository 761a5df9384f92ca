"""From a graph's inputs to its outputs, node by node, for a batch of one symbolic row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from sqlscore.pushdown.inputs import inputs_of, unread
from sqlscore.pushdown.node import Node
from sqlscore.pushdown.operators.dimensions import TAKE_ROWS
from sqlscore.pushdown.operators.table import OPERATORS, SHAPING, VALUE_BY_VALUE
from sqlscore.pushdown.refusals import Refusal, Refused
from sqlscore.pushdown.values.tensors import ROWS, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import NodeProto
    from sqlglot import exp

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.domains import Domain
    from sqlscore.signature import Signature


def walk(
    model: ModelProto,
    signature: Signature,
    columns: Mapping[str, str],
    facts: Expressions,
    domains: Mapping[str, Domain],
) -> Walked:
    """What becomes of a graph.

    `columns` gives the column of each feature, `domains` what some can hold.
    """
    walker = _Walker(model, facts)
    walker.known = inputs_of(signature, columns, facts, domains, walker.refusals)
    walker.known |= unread(model, signature)
    wanted = {one.output for one in signature.predictions}
    for node in _needed(model, wanted):
        walker.visit(node)
    outputs = {name: walker.known[name] for name in wanted if name in walker.known}
    return Walked(outputs=outputs, refusals=walker.refusals, lost=walker.lost)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a graph became."""

    outputs: dict[str, Tensor]  #: that predictions are made from; none that depends on a refusal
    refusals: list[Refusal]  #: what has no SQL form
    lost: list[exp.Expression]  #: where ONNX Runtime has an error, so that a row has no prediction


class _Walker:
    def __init__(self, model: ModelProto, facts: Expressions) -> None:
        self.known: dict[str, Tensor] = {}
        self.refusals: list[Refusal] = []
        self.lost: list[exp.Expression] = []
        self._facts = facts
        self._opsets = {one.domain: one.version for one in model.opset_import}
        self._fixed = {t.name: t for t in model.graph.initializer}

    def visit(self, proto: NodeProto) -> None:
        """Add the node's outputs to what is known, or its refusal."""
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        node = Node.of(proto, self._opsets.get(domain, 1))
        inputs = [self._value(name) for name in proto.input]
        try:
            if any(t is None and name for t, name in zip(inputs, proto.input, strict=True)):
                if (domain, proto.op_type) not in OPERATORS:
                    raise Refused("there is no SQL form of it")
                return  # it depends on a node that was refused
            _check(proto, [t for t in inputs if t is not None])
            found: Tensor | tuple[Tensor, ...]
            if _is_constant(proto, domain, inputs):
                found = self._constant(proto, inputs)
            elif (domain, proto.op_type) in OPERATORS:
                found = OPERATORS[domain, proto.op_type](node, self._facts, *inputs)
                if proto.op_type in VALUE_BY_VALUE and isinstance(found, Tensor):
                    found = _laid_out(found, inputs)
            else:
                raise Refused("there is no SQL form of it")
        except Refused as refused:
            self.refusals.append(Refusal(operator=node.operator, node=node.name, why=str(refused)))
            return
        except _UNKNOWN_FORMS as error:
            why = f"its inputs have a form that is not known here ({error})"
            self.refusals.append(Refusal(operator=node.operator, node=node.name, why=why))
            return
        outputs = found if isinstance(found, tuple) else (found,)
        self.lost += [test for tensor in outputs for test in tensor.lost]
        told = [
            dataclasses.replace(tensor, lost=()) if tensor.lost else tensor for tensor in outputs
        ]
        self.known.update(zip(proto.output, told, strict=False))

    def _value(self, name: str) -> Tensor | None:
        if name in self._fixed:
            self.known[name] = Tensor.constant(numpy_helper.to_array(self._fixed.pop(name)))
        return self.known.get(name)

    def _constant(self, proto: NodeProto, inputs: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """The node's outputs by ONNX's own reference, where all its inputs are constants."""
        feeds = {
            name: t.values() for name, t in zip(proto.input, inputs, strict=True) if t is not None
        }
        given = [helper.make_tensor_value_info(name, 0, None) for name in feeds]
        made = [helper.make_tensor_value_info(name, 0, None) for name in proto.output]
        opsets = [helper.make_opsetid(d, v) for d, v in self._opsets.items()]
        model = helper.make_model(
            helper.make_graph([proto], "constant", given, made), opset_imports=opsets
        )
        made_values = ReferenceEvaluator(model).run(None, feeds)
        return tuple(Tensor.constant(np.asarray(value)) for value in made_values)


def _laid_out(made: Tensor, inputs: Sequence[Tensor | None]) -> Tensor:
    """What is made value by value, with its rows where those of the inputs are."""
    moving = [t for t in inputs if t is not None and not t.is_constant]
    if not moving:
        return made
    first = moving[0]
    return dataclasses.replace(made, rows=first.rows, outer=first.outer, inner=first.inner)


#: what numpy and Python say of shapes and types that an operator did not expect
_UNKNOWN_FORMS = (ValueError, TypeError, IndexError, KeyError, AttributeError)
_COMPARE = frozenset({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Not"})


def _check(proto: NodeProto, inputs: Sequence[Tensor]) -> None:
    """Refuse what no operator takes but those that know it."""
    name = proto.op_type
    if name not in TAKE_ROWS and any(ROWS in t.row for t in inputs if t.element == "int64"):
        raise Refused("it computes with the number of rows")
    if name not in SHAPING and name not in VALUE_BY_VALUE:
        if not all(t.is_plain for t in inputs):
            raise Refused("another dimension of its input comes before the rows")
    elif name in VALUE_BY_VALUE:
        _check_layouts([t for t in inputs if not t.is_constant], inputs)
    if name not in _COMPARE and any(t.is_cut for t in inputs):
        raise Refused("it takes a computed number that was cut to a whole one")


def _check_layouts(moving: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
    """Refuse inputs that have their rows along different axes, or a constant along the rows."""
    if all(t.is_plain for t in moving):
        return
    first = moving[0]
    behind = first.cells.ndim - first.rows
    along = [t.cells.shape[-behind] for t in inputs if t.is_constant and t.cells.ndim >= behind]
    if any(t.layout != first.layout for t in moving) or any(size > 1 for size in along):
        raise Refused("its inputs have their rows along different axes")


def _is_constant(proto: NodeProto, domain: str, inputs: Sequence[Tensor | None]) -> bool:
    """Whether the node's outputs are the same for all rows, and of a shape that is known."""
    if domain or not all(t is None or t.is_constant for t in inputs):
        return False
    if proto.op_type not in {"ConstantOfShape", "Expand", "Reshape"}:
        return True
    return not any(t is not None and ROWS in t.row for t in inputs)


def _needed(model: ModelProto, wanted: set[str]) -> list[NodeProto]:
    """The nodes that the outputs depend on, in the graph's order."""
    names, found = set(wanted), []
    for node in reversed(model.graph.node):
        if names & set(node.output):
            names.update(node.input)
            found.append(node)
    return found[::-1]
