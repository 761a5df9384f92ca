"""What a model wants and what it gives: inputs and features, outputs and predictions.

An *input* is an input of the graph; a *feature* is one named, typed column that feeds (a part of)
one. An *output* is an output of the graph; a *prediction* is one named column made from (a part
of) one. `signature_of` in `graph.py` builds a `Signature` from a graph's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    import pyarrow as pa

    Category: TypeAlias = str | int | float
    Span: TypeAlias = tuple[float | None, float | None]  #: least and largest; None: an open end


class InputKind(StrEnum):
    """How an input of the graph is fed from columns."""

    COLUMN = "column"  #: ``[N]`` or ``[N, 1]``: one feature
    BLOCK = "block"  #: ``[N, k]``: k features side by side
    TENSOR = "tensor"  #: ``[N, d1, …]``: one column that holds an array a row
    CONSTANT = "constant"  #: no batch dimension: the caller gives it


class Use(StrEnum):
    """What the graph does with a feature."""

    ALWAYS = "always"  #: its value may change a prediction
    NOT_FINITE = "not finite"  #: only NaN and infinities do: all its weights are zero
    NEVER = "never"  #: nothing looks at it


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One input of the graph."""

    name: str
    element: str  #: ONNX element type, a key of `types.ARROW_TYPES`
    shape: tuple[int | None, ...]  #: None: a free dimension; the first is the batch
    kind: InputKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One named, typed input column."""

    name: str
    type: pa.DataType  #: the Arrow type of the tensor's elements
    input: str  #: the graph's input that it feeds
    position: int  #: column in the block; 0 for an input of one column
    missing: bool = False  #: the graph itself handles NaN for this feature, so NULL may become NaN
    categories: frozenset[Category] | None = None  #: those that the graph knows; None: it has none
    range: Span | None = None  #: of its values in training, by the model's metadata
    use: Use = Use.ALWAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One output of the graph."""

    name: str
    element: str
    shape: tuple[int | None, ...]
    labels: tuple[str, ...] | None = None  #: class labels of the columns, where the graph has them


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """One named output column."""

    name: str
    type: pa.DataType  #: of the column: a list type for `[N, d]` outputs kept whole
    output: str
    position: int | None  #: column of the output's second dimension; None: the whole output


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Ordered features in, predictions out.

    `named` is False where a block's features carry made-up names (``f0``, ``f1``, …) because
    neither the caller nor the graph named them: such features bind by position only, and only
    where exactly as many columns are chosen.
    """

    inputs: tuple[Input, ...]
    features: tuple[Feature, ...]
    outputs: tuple[Output, ...]
    predictions: tuple[Prediction, ...]
    named: bool = True

    def __str__(self) -> str:
        """A table for people: each feature and what it feeds, each prediction and what it is."""
        return describe(self)


def describe(signature: Signature) -> str:
    """The signature as a table: a line a feature, a line a prediction, what each feeds or is."""
    widths = {one.name: _size(one.shape) for one in signature.inputs}
    sizes = {one.name: _size(one.shape) for one in signature.outputs}
    blocks = {one.name for one in signature.inputs if one.kind is InputKind.BLOCK}
    constants = [one for one in signature.inputs if one.kind is InputKind.CONSTANT]
    tables = [
        _table(
            ("feature", "type", "input", "NULL"),
            (_feature(f, widths[f.input], block=f.input in blocks) for f in signature.features),
        ),
        _table(
            ("prediction", "type", "output"),
            (_prediction(p, sizes[p.output]) for p in signature.predictions),
        ),
    ]
    if constants:
        rows = (
            (one.name, f"{one.element}[{', '.join(str(d or '?') for d in one.shape)}]")
            for one in constants
        )
        tables.insert(1, _table(("constant", "type"), rows))
    if not signature.named:
        tables.append(
            "The features' names are made up: name them by features=[…], or give exactly "
            f"{len(signature.features)} columns in the model's order."
        )
    return "\n\n".join(tables)


def _feature(feature: Feature, size: str, *, block: bool) -> tuple[str, ...]:
    place = f"{feature.input}[{feature.position}]" if block else f"{feature.input}{size}"
    return (feature.name, str(feature.type), place, "NaN" if feature.missing else "NULL")


def _prediction(one: Prediction, size: str) -> tuple[str, ...]:
    place = f"{one.output}{size}" if one.position is None else f"{one.output}[{one.position}]"
    return (one.name, str(one.type).replace("item: ", ""), place)


def _size(shape: Sequence[int | None]) -> str:
    """The shape of one row's values; nothing where it is a single one."""
    inner = [str(d or "?") for d in shape[1:] if d != 1]
    return f"[{', '.join(inner)}]" if inner else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
