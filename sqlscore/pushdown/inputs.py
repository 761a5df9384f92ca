"""A graph's inputs as cells: each feature is a line over its column."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.graph.elements import element_of
from sqlscore.graph.nodes import dimensions, used_inputs
from sqlscore.pushdown.domains import UNKNOWN
from sqlscore.pushdown.operators.comparisons import truth_column
from sqlscore.pushdown.refusals import Refusal
from sqlscore.pushdown.values.cells import DTYPES, Line, Term
from sqlscore.pushdown.values.tensors import Tensor
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import ModelProto

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.domains import Domain
    from sqlscore.pushdown.values.cells import Cell
    from sqlscore.pushdown.values.cuts import Steps
    from sqlscore.signature import Feature, Signature


def inputs_of(
    signature: Signature,
    columns: Mapping[str, str],
    facts: Expressions,
    domains: Mapping[str, Domain],
    refusals: list[Refusal],
) -> dict[str, Tensor]:
    """The tensors of the inputs that features feed; refusals of those that no column can."""
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


def unread(model: ModelProto, signature: Signature) -> dict[str, Tensor]:
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
    whole = element not in DTYPES
    return Line(
        feature=feature.name, column=sql, steps=rounded, dtype=dtype, domain=domain, whole=whole
    )


@cache
def _rounding(element: str) -> Steps:
    """The one function for a type, so that what is found out of it is known for all features."""
    dtype = DTYPES.get(element, np.float64)

    def rounded(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return x.astype(dtype)

    return rounded
