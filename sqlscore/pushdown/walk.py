"""From a graph's inputs to its outputs, node by node, for a batch of one symbolic row."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sqlglot import exp

from sqlscore.graph.elements import element_of
from sqlscore.graph.nodes import dimensions, used_inputs
from sqlscore.pushdown.cells import DTYPES, ROWS, Line, Tensor, Term
from sqlscore.pushdown.comparisons import truth_column
from sqlscore.pushdown.dimensions import TAKE_ROWS
from sqlscore.pushdown.domains import UNKNOWN
from sqlscore.pushdown.node import Node
from sqlscore.pushdown.operators import OPERATORS
from sqlscore.pushdown.refusals import Refusal, Refused
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import NodeProto

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.cuts import Steps
    from sqlscore.pushdown.domains import Domain
    from sqlscore.signature import Feature, Signature


def walk(
    model: ModelProto,
    signature: Signature,
    columns: Mapping[str, str],
    facts: Expressions,
    domains: Mapping[str, Domain],
) -> tuple[dict[str, Tensor], list[Refusal]]:
    """The tensors of the outputs that predictions are made from, and what has no SQL form.

    `columns` gives the column of each feature, `domains` what some can hold. An output that depends
    on a refused node is not there.
    """
    walker = _Walker(model, facts)
    walker.known = _inputs(signature, columns, facts, domains, walker.refusals)
    walker.known |= _unread(model, signature)
    wanted = {one.output for one in signature.predictions}
    for node in _needed(model, wanted):
        walker.visit(node)
    return {name: walker.known[name] for name in wanted if name in walker.known}, walker.refusals


class _Walker:
    def __init__(self, model: ModelProto, facts: Expressions) -> None:
        self.known: dict[str, Tensor] = {}
        self.refusals: list[Refusal] = []
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
            if _is_constant(proto, domain, inputs):
                found = self._constant(proto, inputs)
            elif (domain, proto.op_type) in OPERATORS:
                found = OPERATORS[domain, proto.op_type](node, self._facts, *inputs)
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
        self.known.update(zip(proto.output, outputs, strict=False))

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


#: what numpy and Python say of shapes and types that an operator did not expect
_UNKNOWN_FORMS = (ValueError, TypeError, IndexError, KeyError, AttributeError)
#: operators that may join or reduce over another first axis than the rows'
_ALONG = frozenset({"Concat", *(f"Reduce{how}" for how in ("Mean", "Sum", "Max", "Min"))})
_COMPARE = frozenset({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Not"})


def _check(proto: NodeProto, inputs: Sequence[Tensor]) -> None:
    """Refuse what no operator takes but those that know it."""
    name = proto.op_type
    if name not in TAKE_ROWS and any(ROWS in t.row for t in inputs if t.element == "int64"):
        raise Refused("it computes with the number of rows")
    if name not in _ALONG and any(t.rows for t in inputs):
        raise Refused("another dimension of its input comes before the rows")
    if name not in _COMPARE and any(t.is_cut for t in inputs):
        raise Refused("it takes a computed number that was cut to a whole one")


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


def _inputs(
    signature: Signature,
    columns: Mapping[str, str],
    facts: Expressions,
    domains: Mapping[str, Domain],
    refusals: list[Refusal],
) -> dict[str, Tensor]:
    found = {}
    for one in signature.inputs:
        if one.kind in {InputKind.TENSOR, InputKind.CONSTANT}:
            why = (
                "it takes an array a row"
                if one.kind is InputKind.TENSOR
                else "it has no batch dimension"
            )
            refusals.append(Refusal(operator="", node=f"input {one.name!r}", why=why))
            continue
        given = {f.position: f for f in signature.features if f.input == one.name}
        width = (one.shape[1] or 1) if one.kind is InputKind.BLOCK else 1
        cells = [
            _cell(
                given[j],
                columns[given[j].name],
                one.element,
                facts,
                domains.get(given[j].name, UNKNOWN),
            )
            if j in given
            else _nothing(one.element)
            for j in range(width)
        ]
        shape = (1,) if len(one.shape) == 1 else (1, len(cells))
        found[one.name] = Tensor.of(cells, one.element, shape)
    return found


def _unread(model: ModelProto, signature: Signature) -> dict[str, Tensor]:
    """Inputs that the signature leaves out, since nothing looks at their values."""
    fed = {one.name for one in signature.inputs}
    found = {}
    for value in used_inputs(model.graph):
        if value.name not in fed:
            element = element_of(value.type) or "float"
            shape = tuple(d or 1 for d in dimensions(value) or (1, 1))
            found[value.name] = Tensor.of([_nothing(element)] * math.prod(shape), element, shape)
    return found


def _nothing(element: str) -> Cell:
    """What stands for a value that nothing looks at."""
    if element in _NOTHING:
        return _NOTHING[element]
    return 0 if "int" in element else 0.0


_NOTHING: dict[str, Cell] = {"string": "", "bool": False}


def _cell(feature: Feature, column: str, element: str, facts: Expressions, domain: Domain) -> Cell:
    sql = exp.column(exp.to_identifier(column, quoted=True))
    if element == "bool":
        return truth_column(sql, feature.name, facts)
    if element == "string":
        return Term(sql=sql, needs=frozenset({feature.name}), exact=True, bounded=True)
    dtype = DTYPES.get(element, np.float64)
    rounded = _rounding(element)
    # a NULL that takes the row's predictions is seen to apart
    domain = dataclasses.replace(domain, null=domain.null and feature.missing)
    if domain.point is not None and not domain.null:
        return float(rounded(np.array([domain.point]))[0])
    return Line(feature=feature.name, column=sql, steps=rounded, dtype=dtype, domain=domain)


@cache
def _rounding(element: str) -> Steps:
    """The one function for a type, so that what is found out of it is known for all features."""
    dtype = DTYPES.get(element, np.float64)

    def rounded(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return x.astype(dtype)

    return rounded
