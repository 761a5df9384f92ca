"""How a model may run: what is proved before its rewrite takes the place of the original.

On drawn rows, with equal labels and values within 4 ulp:

1. each row alone: the rewrite gives what the original gives, so the rewrite means the same;
2. by 7 and all together: the rewrite gives a row the same in both;
3. by 7 and among 6 copies of itself: so a row's neighbours do not matter.

Alone and in a batch a row may differ by more than 4 ulp, for ONNX Runtime has other kernels for one
row (a logistic regression of 20 features: 6 to 30 ulp). There rounding is told from a change of
meaning by the square root of the precision, and a row that must run alone is padded.

A graph that mixes rows, or was made for exactly one, fails 2 or 3: it runs row by row, which gives
the answers that it was made for, only slower, and its proof says why.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore import graph as graphs
from sqlscore.agreement import Disagreement, concatenated, within
from sqlscore.columns import DTYPES
from sqlscore.draws import draw, free_sizes
from sqlscore.elements import element_of
from sqlscore.errors import ModelError, SqlscoreError
from sqlscore.nodes import dimensions, true_inputs
from sqlscore.session import Session, available
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from typing import TypeAlias

    from sqlscore.graph import Graph
    from sqlscore.signature import Signature

    Feeds: TypeAlias = dict[str, np.ndarray]
    Outputs: TypeAlias = dict[str, np.ndarray]

ULP = 4  #: how far values may be apart that must be the same
STEP = 7  #: rows of the small batches: no multiple of what vector units take at once
ROWS = 100
_REPEATED = 20  #: rows that run among copies of themselves
_SECONDS = 3.0  #: what the original may take for its rows, before fewer are drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was found about running a model in batches."""

    rowwise: bool  #: the model runs row by row
    rewritten: bool  #: the rewrite runs; else the original bytes
    rows: int  #: rows that were compared
    largest_ulp: float  #: of what must be the same: rewrite and original, a row in two batches
    alone_ulp: float  #: how far a row that runs alone is from itself in a batch
    reason: str | None  #: why it runs row by row; None where it does not
    onnxruntime: str  #: version that the proof was made with

    def to_json(self) -> str:
        """The proof as it is stored."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """The proof that `to_json` gave; fields that a later version added are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in json.loads(text).items() if k in known})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """Drawn rows, and what the original gives for each of them alone."""

    signature: Signature
    feeds: Feeds
    rows: int
    alone: Outputs

    def run(self, session: Session, step: int) -> Outputs:
        """What a session gives for all rows, `step` of them at once."""
        names = [output.name for output in self.signature.outputs]
        return concatenated(
            [
                session.run(_chosen(self.feeds, self.signature, slice(at, at + step)), names)
                for at in range(0, self.rows, step)
            ],
            self.signature,
        )

    def repeated(self, session: Session, rows: np.ndarray) -> Outputs:
        """What a session gives for each row among copies of itself, somewhere in the middle."""
        names = [output.name for output in self.signature.outputs]
        middle = STEP // 2
        results = []
        for row in rows:
            values = session.run(_chosen(self.feeds, self.signature, [int(row)] * STEP), names)
            whole = concatenated([values], self.signature)
            results.append({name: array[middle : middle + 1] for name, array in whole.items()})
        return concatenated(results, self.signature)


def prove(graph: Graph, signature: Signature, *, rows: int = ROWS, seed: int = 0) -> Proof:
    """Decide how a graph runs, from `rows` drawn rows.

    Raises ModelError where the original itself cannot be loaded, or takes none of the rows.
    """
    drawn = _drawn(graph, signature, rows, seed)
    try:
        session = Session(graphs.rewrite(graph))
        alone = drawn.run(session, 1)
        largest = within(ULP, drawn.alone, alone, "the rewrite gives other values")
    except (Disagreement, SqlscoreError) as error:
        return _proof(drawn, rewritten=False, reason=f"the rewrite is not used: {error}")
    try:
        small, large = drawn.run(session, STEP), drawn.run(session, drawn.rows)
        largest = max(largest, within(ULP, small, large, "a row depends on its batch"))
        some = np.linspace(0, drawn.rows - 1, min(drawn.rows, _REPEATED)).astype(int)
        copies = drawn.repeated(session, some)
        theirs = {name: values[some] for name, values in small.items()}
        largest = max(largest, within(ULP, copies, theirs, "a row depends on its neighbours"))
        ours = {name: values[some] for name, values in alone.items()}
        apart = within(None, ours, copies, "a row depends on the number of rows")
    except (Disagreement, SqlscoreError) as error:
        return _proof(drawn, rewritten=True, reason=str(error))
    return _proof(drawn, rewritten=True, reason=None, largest_ulp=largest, alone_ulp=apart)


def runnable(graph: Graph, proof: Proof) -> bytes:
    """The bytes that a session runs for a graph with this proof."""
    return graphs.rewrite(graph) if proof.rewritten else graph.stored


def runtime_version() -> str:
    """The version of ONNX Runtime, which a session of this process has imported."""
    available()  # imports it
    return str(sys.modules["onnxruntime"].__version__)


def _proof(
    drawn: _Drawn,
    *,
    rewritten: bool,
    reason: str | None,
    largest_ulp: float = 0.0,
    alone_ulp: float = 0.0,
) -> Proof:
    return Proof(
        rowwise=reason is not None,
        rewritten=rewritten,
        rows=drawn.rows,
        largest_ulp=largest_ulp,
        alone_ulp=alone_ulp,
        reason=reason,
        onnxruntime=runtime_version(),
    )


def _drawn(graph: Graph, signature: Signature, rows: int, seed: int) -> _Drawn:
    """Drawn rows that the original takes, with what it gives for each of them alone."""
    session = Session(graph.stored)
    unused = _unused(graph, signature)
    names = [output.name for output in signature.outputs]
    refused: SqlscoreError | None = None
    for free in free_sizes(graph.proto) if _open(signature) else [3]:
        feeds = draw(graph.proto, signature, rows=rows, seed=seed, free=free)
        taken: list[int] = []
        results: list[dict[str, Any]] = []
        until = time.monotonic() + _SECONDS
        for i in range(rows):
            try:
                results.append(session.run(_chosen(feeds, signature, [i]) | unused, names))
                taken.append(i)
            except SqlscoreError as error:
                refused = error
            if len(taken) > 2 * STEP and time.monotonic() > until:
                break
        if taken:
            return _Drawn(
                signature=signature,
                feeds=_chosen(feeds, signature, taken),
                rows=len(taken),
                alone=_row_by_row(results, signature),
            )
    raise ModelError(
        f"the model loads, but it runs none of {rows} drawn rows: {refused}"
    ) from refused


def _row_by_row(results: list[dict[str, Any]], signature: Signature) -> Outputs:
    try:
        alone = concatenated(results, signature)
    except Disagreement as error:
        raise ModelError(str(error)) from error
    for name, array in alone.items():
        if len(array) != len(results):
            raise ModelError(
                f"the output {name!r} gives {len(array)} values for {len(results)} rows that run "
                f"one by one, so it does not belong to rows. Leave it out: drop=[{name!r}]"
            )
    return alone


def _chosen(feeds: Feeds, signature: Signature, rows: slice | list[int]) -> Feeds:
    constant = {i.name for i in signature.inputs if i.kind is InputKind.CONSTANT}
    return {name: a if name in constant else a[rows] for name, a in feeds.items()}


def _open(signature: Signature) -> bool:
    """Whether an input has a dimension besides the batch whose size the graph leaves open."""
    return any(None in one.shape[1:] for one in signature.inputs)


def _unused(graph: Graph, signature: Signature) -> Feeds:
    """Zeros for inputs that nothing depends on: the original asks for them all the same."""
    used = {one.name for one in signature.inputs}
    return {
        value.name: np.zeros(
            [d or 1 for d in dimensions(value) or (1, 1)],
            dtype=DTYPES[element_of(value.type) or "float"],
        )
        for value in true_inputs(graph.proto.graph)
        if value.name not in used
    }
