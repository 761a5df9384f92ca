"""Push-down: a graph becomes a SQL expression, and the database scores its own rows.

`select` compiles, `missing` says what keeps a graph from that. The same leaf of every tree is
taken as by ONNX Runtime, on every database; sums are its bits where the product has a 4-byte
float, else they are doubles within float32's rounding of it.

    walk       a graph's nodes one after the other, by
    operators  a function for each operator, over
    trees      forests as CASE expressions
    sql        expressions that never raise
    values     what a row's values are while the graph is read
    stages     expressions that share parts, as SELECTs over derived tables
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import onnx
import pyarrow as pa
from sqlglot import exp

from sqlscore import graph as graphs
from sqlscore.errors import PushdownUnsupported
from sqlscore.pushdown.domains import UNKNOWN
from sqlscore.pushdown.refusals import Refusal
from sqlscore.pushdown.sql.arithmetic import case, either, expression, needs, operand, truth
from sqlscore.pushdown.sql.saturation import clamped, tiny_as_zero
from sqlscore.pushdown.stages import staged
from sqlscore.pushdown.values.cells import Line, Term
from sqlscore.pushdown.values.tensors import ROWS
from sqlscore.pushdown.walk import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlscore.graph import Graph
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.domains import Domain
    from sqlscore.pushdown.values.cells import Cell
    from sqlscore.pushdown.values.tensors import Tensor
    from sqlscore.signature import Prediction, Signature

__all__ = ["Refusal", "missing", "select", "sums"]


@lru_cache(maxsize=8)
def missing(graph: Graph, signature: Signature, facts: Expressions) -> tuple[Refusal, ...]:
    """All that has no SQL form in a dialect; nothing, where the graph compiles."""
    columns = {feature.name: feature.name for feature in signature.features}
    return tuple(_compiled(graph, signature, columns, facts, {})[1])


def select(
    graph: Graph,
    signature: Signature,
    facts: Expressions,
    *,
    relation: exp.Expression | None,
    columns: Mapping[str, str],
    names: Mapping[str, str],
    passed: Sequence[str] = (),
    domains: Mapping[str, Domain] | None = None,
) -> exp.Select:
    """``SELECT passed, predictions FROM relation``.

    `columns` gives each feature's column, `names` each prediction's. A row with a NULL in a
    feature whose missing values the graph does not handle has NULL predictions. Without a relation
    the columns are a function's parameters. `domains` says what some features' columns can hold:
    the expression is right for such rows alone. Raises PushdownUnsupported with all refusals.
    """
    outputs, refusals = _compiled(graph, signature, columns, facts, domains or {})
    if refusals:
        raise PushdownUnsupported(refusals)
    made = {names[name]: value for name, value in outputs.items()}
    whole = staged(made, passed, relation, facts, taken=columns.values())
    if facts.settings and relation is not None:
        pairs = [(exp.var(name), exp.Literal.string(value)) for name, value in facts.settings]
        whole.set("settings", [exp.EQ(this=name, expression=value) for name, value in pairs])
    return whole


def sums(
    graph: Graph,
    signature: Signature,
    facts: Expressions,
    columns: Mapping[str, str],
    domains: Mapping[str, Domain],
) -> dict[str, exp.Expression]:
    """Prediction -> the sum that it is the logistic function of, for those that are one.

    The expressions are their own, so they share no part with those of `select`.
    """
    model = onnx.ModelProto.FromString(graphs.rewrite(graph))
    walked = walk(model, signature, columns, facts, domains)
    found: dict[str, exp.Expression] = {}
    if walked.lost:
        return found
    for one in signature.predictions:
        if one.output in walked.outputs and not pa.types.is_list(one.type):
            cell = walked.outputs[one.output].row[one.position or 0]
            if isinstance(cell, Term) and cell.logit is not None:
                found[one.name] = expression(cell.logit, facts)
    return found


def _compiled(
    graph: Graph,
    signature: Signature,
    columns: Mapping[str, str],
    facts: Expressions,
    domains: Mapping[str, Domain],
) -> tuple[dict[str, exp.Expression], list[Refusal]]:
    model = onnx.ModelProto.FromString(graphs.rewrite(graph))
    walked = walk(model, signature, columns, facts, domains)
    refusals, outputs = walked.refusals, {}
    lost = _Lost(signature, columns, domains, walked.lost)
    for one in signature.predictions:
        if one.output not in walked.outputs:
            continue
        tensor = walked.outputs[one.output]
        why = _unwritable(tensor, one, facts)
        if why:
            refusals.append(Refusal(operator="", node=f"output {one.output!r}", why=why))
            continue
        outputs[one.name] = _prediction(tensor, one, facts, lost)
    return outputs, refusals


def _unwritable(tensor: Tensor, one: Prediction, facts: Expressions) -> str | None:
    """Why an output whose tensor is known can be no column."""
    if pa.types.is_list(one.type) and not facts.arrays:
        return f"{facts.dialect} has no arrays; name its columns by outputs="
    if tensor.is_cut:
        return "it is a computed number, cut to a whole one: rounding could decide it"
    if tensor.around[0] != 1 or tensor.inner != 1:
        return "its rows are not the values of one row each"
    return "it holds the number of rows" if ROWS in tensor.row else None


def _prediction(tensor: Tensor, one: Prediction, facts: Expressions, lost: _Lost) -> exp.Expression:
    if pa.types.is_list(one.type):
        cells = tensor.row
        value: exp.Expression = exp.Array(
            expressions=[_finished(cell, tensor.element, facts) for cell in cells]
        )
        safe: frozenset[str] = frozenset()  # an array of NULLs is not NULL
    else:
        cell = tensor.row[one.position or 0]
        value = _finished(cell, tensor.element, facts)
        safe = needs([cell])
    test = lost.test(safe)
    return value if test is None else case((test, exp.Null()), otherwise=value)


class _Lost:
    """The tests for rows without predictions; the same one for all predictions that need it."""

    def __init__(
        self,
        signature: Signature,
        columns: Mapping[str, str],
        domains: Mapping[str, Domain],
        errors: Sequence[exp.Expression],
    ) -> None:
        self._columns = {
            feature.name: columns[feature.name]
            for feature in signature.features
            if not feature.missing and domains.get(feature.name, UNKNOWN).null
        }
        self._errors = [operand(test) for test in errors]
        self._made: dict[tuple[str, ...], exp.Expression] = {}

    def test(self, safe: Collection[str]) -> exp.Expression | None:
        """Whether a row is lost for a value that a NULL in `safe` makes NULL by itself."""
        columns = tuple(c for name, c in self._columns.items() if name not in safe)
        if columns not in self._made and (columns or self._errors):
            nulls: list[exp.Expression] = [
                exp.Is(this=exp.column(exp.to_identifier(name, quoted=True)), expression=exp.Null())
                for name in columns
            ]
            self._made[columns] = either([*nulls, *self._errors])
        return self._made.get(columns)


def _finished(cell: Cell, element: str, facts: Expressions) -> exp.Expression:
    """The cell as a prediction: past float32's range it is an infinity, or NULL."""
    value = expression(cell, facts)
    if element == "bool":
        return truth(value, facts)
    if element == "string":
        return value
    if not isinstance(cell, Term):
        fits = facts.infinity or not isinstance(cell, Line)
        return value if fits else clamped(value, facts)
    kept = cell.bounded if facts.infinity else cell.finite
    made = value if kept else clamped(value, facts)
    sure = cell.real or cell.exact or cell.coarse
    return made if sure or element != "float" else tiny_as_zero(value, made, facts)
