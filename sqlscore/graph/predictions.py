"""The outputs of a graph, and the named columns that are made from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import onnx
import pyarrow as pa

from sqlscore.errors import SignatureError, nearest
from sqlscore.graph.elements import element_of
from sqlscore.graph.labels import labels_of
from sqlscore.graph.nodes import dimensions
from sqlscore.signature import Output, Prediction
from sqlscore.types import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from typing import TypeAlias

    from onnx import ModelProto, ValueInfoProto

    _Shape: TypeAlias = tuple[int | None, ...]


def outputs_of(model: ModelProto, left_out: Container[str]) -> tuple[Output, ...]:
    """The outputs that columns can be made from, without those that are left out by name."""
    inferred = _inferred_shapes(model)
    return tuple(
        _output(model, value, inferred.get(value.name))
        for value in model.graph.output
        if value.name not in left_out
    )


def predictions_of(
    outputs: tuple[Output, ...], given: Mapping[str, str], drop: Sequence[str]
) -> tuple[Prediction, ...]:
    """Name the predictions: `given` first, the rest by rule, without what is dropped.

    Who names columns of an output that has no labels has chosen among them: the whole of it is
    no prediction then.
    """
    by_rule = _by_rule(outputs)
    known = {one.name: one for one in outputs}
    dropped = [_found(text, known, by_rule) for text in drop]
    named = {name: _found(text, known, by_rule) for name, text in given.items()}
    taken = [(one.output, one.position) for one in (*named.values(), *dropped)]
    whole = {output for output, position in taken if position is None}
    parts = {output for output, position in taken if position is not None}
    rest = [
        one
        for one in by_rule
        if one.output not in whole
        and (one.output, one.position) not in taken
        and not (one.position is None and one.output in parts)
    ]
    predictions = [_renamed(one, name) for name, one in named.items()]
    for one in rest:
        predictions.append(_renamed(one, _free_name(one.name, {p.name for p in predictions})))
    if not predictions:
        raise SignatureError("drop= leaves no prediction at all")
    order = [one.name for one in outputs]
    return tuple(sorted(predictions, key=lambda p: (order.index(p.output), p.position or 0)))


def _output(model: ModelProto, value: ValueInfoProto, inferred: _Shape | None) -> Output:
    element = element_of(value.type)
    if element is None:
        raise SignatureError(
            f"the output {value.name!r} is no tensor of numbers, booleans or text, so no column "
            f"can hold it. Leave it out: drop=[{value.name!r}]"
        )
    labels = labels_of(model.graph, value.name)
    if value.type.HasField("sequence_type"):
        shape: _Shape = (None, len(labels) if labels else None)
    else:
        shape = dimensions(value) or inferred or (None, len(labels) if labels else None)
    if len(shape) == 2 and shape[1] is None and inferred and len(inferred) == 2:
        shape = inferred
    if labels and shape[1:] != (len(labels),):
        labels = None  # one score for two classes, as support vector machines give
    return Output(name=value.name, element=element, shape=(None, *shape[1:]), labels=labels)


def _inferred_shapes(model: ModelProto) -> dict[str, _Shape]:
    """Shapes of outputs that declare none or half of one, as onnx infers them."""
    if all((shape := dimensions(v)) and None not in shape[1:] for v in model.graph.output):
        return {}
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError):
        return {}
    return {v.name: shape for v in inferred.graph.output if (shape := dimensions(v))}


def _by_rule(outputs: tuple[Output, ...]) -> list[Prediction]:
    """The predictions that an output gives when nobody says otherwise."""
    predictions = []
    for one in outputs:
        if one.labels:
            predictions += [
                _column(one, j, f"{one.name}_{label}") for j, label in enumerate(one.labels)
            ]
        else:
            predictions.append(_whole(one))
    return predictions


def _column(output: Output, position: int, name: str) -> Prediction:
    return Prediction(
        name=name, type=ARROW_TYPES[output.element], output=output.name, position=position
    )


def _whole(output: Output) -> Prediction:
    """The whole output: a plain column where a row has one value, else a list a row."""
    type_ = ARROW_TYPES[output.element]
    return Prediction(
        name=output.name,
        type=type_ if _is_plain(output) else pa.list_(type_),
        output=output.name,
        position=None,
    )


def _is_plain(output: Output) -> bool:
    """Whether a row has one value."""
    return len(output.shape) == 1 or output.shape[1:] == (1,)


def _renamed(one: Prediction, name: str) -> Prediction:
    return Prediction(name=name, type=one.type, output=one.output, position=one.position)


def _free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that makes it differ from those taken."""
    numbered = (f"{name}_{i}" for i in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _found(text: str, known: Mapping[str, Output], by_rule: Sequence[Prediction]) -> Prediction:
    """The prediction that ``output``, ``output[label]``, ``output[1]`` or its own name means."""
    if text in known:
        return _whole(known[text])
    for one in by_rule:
        if one.name == text:
            return one
    inside = re.fullmatch(r"(.+)\[([^\[\]]*|.*)\]", text, re.DOTALL)
    if inside and inside[1] in known:
        output = known[inside[1]]
        position = _position(output, inside[2], text)
        return _whole(output) if _is_plain(output) else _column(output, position, text)
    names = [*known, *(p.name for p in by_rule), *(f"{o}[{x}]" for o, x in _labels(known))]
    raise SignatureError(
        f"the model has no output {text!r}.{nearest(text, names)} "
        f"It has: {', '.join(map(repr, known))}"
    )


def _labels(known: Mapping[str, Output]) -> list[tuple[str, str]]:
    return [(one.name, label) for one in known.values() for label in one.labels or ()]


def _position(output: Output, inside: str, text: str) -> int:
    """The column of a class label, or of a number where the output has no labels."""
    if output.labels:
        if inside in output.labels:
            return output.labels.index(inside)
        raise SignatureError(
            f"{text!r}: {output.name!r} has no class {inside!r}.{nearest(inside, output.labels)} "
            f"Its classes are: {', '.join(output.labels)}"
        )
    width = 1 if len(output.shape) == 1 else output.shape[1]
    if inside.isdecimal() and len(output.shape) <= 2 and (width is None or int(inside) < width):
        return int(inside)
    raise SignatureError(
        f"{text!r}: {output.name!r} has no column {inside!r}; "
        f"it has {'an unknown number of' if width is None else width} columns, counted from 0"
    )
