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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore import graph as graphs
from sqlscore.errors import SqlscoreError
from sqlscore.predictor.constants import constants_of
from sqlscore.prove.agreement import Disagreement, within
from sqlscore.prove.trial import FEW, trial_of
from sqlscore.session import Session, runtime_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.graph import Graph
    from sqlscore.prove.trial import Trial
    from sqlscore.signature import Signature

ULP = 4  #: how far values may be apart that must be the same
ROWS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was found about running a model in batches."""

    rowwise: bool  #: the model runs row by row
    rewritten: bool  #: the rewrite runs; else the original bytes
    rows: int  #: rows that were compared
    largest_ulp: float  #: of what must be the same: rewrite and original, a row in two batches
    alone_ulp: float  #: how far a row alone is from itself in a batch, in ulp of the largest value
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


def prove(
    graph: Graph,
    signature: Signature,
    *,
    constants: Mapping[str, Any] | None = None,
    rows: int = ROWS,
    seed: int = 0,
) -> Proof:
    """Decide how a graph runs, from `rows` drawn rows; inputs of no column have their `constants`.

    Raises ModelError where the original itself cannot be loaded, or takes none of the rows.
    """
    known = constants_of(signature, constants or {}, all=False)
    trial = trial_of(graph, signature, known, rows=rows, seed=seed)
    try:
        rewrite = graphs.rewrite(graph)
        session = Session(rewrite)
        alone = trial.alone if rewrite == graph.stored else trial.run(session, 1)
        largest = within(ULP, trial.alone, alone, "the rewrite gives other values")
    except (Disagreement, SqlscoreError) as error:
        return _proof(trial, rewritten=False, reason=f"the rewrite is not used: {error}")
    try:
        small, large = trial.run(session, FEW), trial.run(session, trial.rows)
        largest = max(largest, within(ULP, small, large, "a row depends on its batch"))
        some = trial.some()
        copies = trial.repeated(session, some)
        theirs = {name: values[some] for name, values in small.items()}
        largest = max(largest, within(ULP, copies, theirs, "a row depends on its neighbours"))
        ours = {name: values[some] for name, values in alone.items()}
        apart = within(None, ours, copies, "a row depends on the number of rows")
    except (Disagreement, SqlscoreError) as error:
        return _proof(trial, rewritten=True, reason=str(error))
    return _proof(trial, rewritten=True, reason=None, largest_ulp=largest, alone_ulp=apart)


def runnable(graph: Graph, proof: Proof) -> bytes:
    """The bytes that a session runs for a graph with this proof."""
    return graphs.rewrite(graph) if proof.rewritten else graph.stored


def _proof(
    trial: Trial,
    *,
    rewritten: bool,
    reason: str | None,
    largest_ulp: float = 0.0,
    alone_ulp: float = 0.0,
) -> Proof:
    return Proof(
        rowwise=reason is not None,
        rewritten=rewritten,
        rows=trial.rows,
        largest_ulp=largest_ulp,
        alone_ulp=alone_ulp,
        reason=reason,
        onnxruntime=runtime_version(),
    )
