"""Drawn rows that a model takes, and what it gives for them: alone, in batches, among copies."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.errors import ModelError
from sqlscore.graph.elements import element_of
from sqlscore.graph.nodes import dimensions, true_inputs
from sqlscore.predictor.constants import constant_inputs
from sqlscore.prove.agreement import Disagreement, concatenated
from sqlscore.prove.draws import draw, free_sizes
from sqlscore.session import Session
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from typing import TypeAlias

    from sqlscore.graph import Graph
    from sqlscore.signature import Signature

    Feeds: TypeAlias = dict[str, np.ndarray]
    Outputs: TypeAlias = dict[str, np.ndarray]

FEW = 7  #: rows of the small batches: no multiple of what vector units take at once
_LEAST = FEW + 1  #: rows that are drawn of the largest and slowest models too
_REPEATED = 20  #: rows that run among copies of themselves
_SECONDS = 1.0  #: what the original may take for its rows, before fewer are drawn
_VALUES = 2**24  #: drawn values of an input: more rows than this holds are not drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Drawn rows, and what the original gives for each of them alone."""

    signature: Signature
    feeds: Feeds
    rows: int
    alone: Outputs
    slow: bool  #: the original took so long that rows were left out

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

    def some(self) -> np.ndarray:
        """The rows that run among copies of themselves, spread over all of them."""
        count = min(self.rows, 2 if self.slow else _REPEATED)
        return np.linspace(0, self.rows - 1, count).astype(int)

    def repeated(self, session: Session, rows: np.ndarray) -> Outputs:
        """What a session gives for each row among copies of itself, somewhere in the middle."""
        names = [output.name for output in self.signature.outputs]
        middle = FEW // 2
        results = []
        for row in rows:
            values = session.run(_chosen(self.feeds, self.signature, [int(row)] * FEW), names)
            whole = concatenated([values], self.signature)
            results.append({name: array[middle : middle + 1] for name, array in whole.items()})
        return concatenated(results, self.signature)


def trial_of(
    graph: Graph, signature: Signature, constants: Feeds, *, rows: int, seed: int
) -> Trial:
    """Draw rows and run the original on each of them; rows that it refuses are left out.

    Raises ModelError where it cannot be loaded, takes none of them, or has an output that does
    not belong to rows.
    """
    session = Session(graph.stored)
    unused = _unused(graph, signature)
    names = [output.name for output in signature.outputs]
    free = _free_size(session, graph, signature, unused | constants, seed)
    rows = max(_LEAST, min(rows, _VALUES // _largest(signature, free)))
    feeds = draw(graph.proto, signature, rows=rows, seed=seed, free=free, constants=constants)
    taken: list[int] = []
    results: list[dict[str, Any]] = []
    refused: ModelError | None = None
    until = time.monotonic() + _SECONDS
    for i in range(rows):
        try:
            results.append(session.run(_chosen(feeds, signature, [i]) | unused, names))
            taken.append(i)
        except ModelError as error:
            refused = error
        if i + 1 >= _LEAST and time.monotonic() > until:
            break
    if not taken:
        raise ModelError(_none_taken(signature, constants, rows, refused)) from refused
    return Trial(
        signature=signature,
        feeds=_chosen(feeds, signature, taken),
        rows=len(taken),
        alone=_row_by_row(results, signature),
        slow=i + 1 < rows,
    )


def _none_taken(
    signature: Signature, constants: Feeds, rows: int, refused: ModelError | None
) -> str:
    message = f"the model loads, but it runs none of {rows} drawn rows: {refused}"
    drawn = [name for name in constant_inputs(signature) if name not in constants]
    if drawn:
        return (
            f"{message}. It may take few values of {', '.join(map(repr, drawn))}, which no column "
            "feeds: give them, constants={…} (on the command line: --constant NAME=VALUE)"
        )
    if any(None in one.shape[1:] for one in signature.inputs):
        return f"{message}. It may need rows of certain sizes: give them, shapes={{input: […]}}"
    return message


def _free_size(
    session: Session, graph: Graph, signature: Signature, known: Feeds, seed: int
) -> int:
    """A size with which one row runs, for dimensions that the graph leaves open; 3 by default."""
    sizes = free_sizes(graph.proto)
    if not any(None in one.shape[1:] for one in signature.inputs):
        return sizes[0]
    for size in sizes:
        if _largest(signature, size) > _VALUES:
            continue
        feeds = draw(graph.proto, signature, rows=1, seed=seed, free=size)
        try:
            session.run(feeds | known)
        except ModelError:
            continue
        return size
    return sizes[0]


def _largest(signature: Signature, free: int) -> int:
    """Values of one row in the input that has the most."""
    return max(math.prod(d or free for d in one.shape[1:]) for one in signature.inputs)


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
