"""The inputs of a graph, and the named columns that feed them."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING

from sqlscore.errors import SignatureError, nearest
from sqlscore.graph.elements import element_of
from sqlscore.graph.known import known_categories, known_ranges
from sqlscore.graph.missing import handled_columns
from sqlscore.graph.nodes import dimensions, fixed_batch, used_inputs
from sqlscore.graph.use import uses_of
from sqlscore.signature import Feature, Input, InputKind, Use
from sqlscore.types import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import ModelProto, ValueInfoProto

    from sqlscore.signature import Category


def inputs_of(
    model: ModelProto, shapes: Mapping[str, Sequence[int]] | None = None
) -> tuple[Input, ...]:
    """The inputs that must be fed, in the graph's order, with their batch dimension free.

    `shapes` fixes the free dimensions of a row. Raises SignatureError where it does not fit.
    """
    used = used_inputs(model.graph)
    fixed = {value.name for value in fixed_batch(model.graph)}
    inputs = {v.name: _input(v, fixed_to_one=v.name in fixed) for v in used}
    for name, shape in (shapes or {}).items():
        if name not in inputs:
            raise SignatureError(f"shapes= names no input: {name!r}.{nearest(name, inputs)}")
        inputs[name] = _sized(inputs[name], tuple(shape))
    return tuple(inputs.values())


def features_of(
    model: ModelProto, inputs: tuple[Input, ...], given: Sequence[str] | None
) -> tuple[tuple[Input, ...], tuple[Feature, ...], bool]:
    """The inputs, the features that feed them, and whether every feature has a real name.

    A block of unknown width gets its width from the names that are given for it.
    """
    if all(one.kind is InputKind.CONSTANT for one in inputs):
        raise SignatureError(
            "no input of the model has a free first dimension (or one of 1), so it takes no rows. "
            "Export it with a dynamic batch dimension."
        )
    if given is not None and (twice := [name for name, n in Counter(given).items() if n > 1]):
        raise SignatureError(f"features= names {', '.join(map(repr, twice))} more than once")
    inputs = _widened(inputs, given)
    names, named = _names(inputs, given, _metadata_names(model))
    widths = {i.name: _width(i) for i in inputs}
    handled = handled_columns(model.graph, widths)
    uses = uses_of(model, widths)
    # NaN in what nothing looks at changes nothing
    handled |= {source for source, use in uses.items() if use is Use.NEVER}
    categories, ranges = known_categories(model.graph, widths), known_ranges(model)
    features = tuple(
        Feature(
            name=name,
            type=ARROW_TYPES[one.element],
            input=one.name,
            position=position,
            missing=_is_plain(one) and (one.name, position) in handled,
            categories=_of_its_kind(categories.get((one.name, position)), one),
            range=ranges.get(name),
            use=Use.ALWAYS
            if one.kind is InputKind.TENSOR
            else uses.get((one.name, position), Use.ALWAYS),
        )
        for one in inputs
        for position, name in enumerate(names[one.name])
    )
    return inputs, features, named


def _is_plain(one: Input) -> bool:
    """Whether its features are single numbers that can be NaN."""
    floating = one.element not in {"string", "bool"} and "int" not in one.element
    return one.kind is not InputKind.TENSOR and floating


def _of_its_kind(categories: set[Category] | None, one: Input) -> frozenset[Category] | None:
    """Texts for a feature of text, numbers for one of numbers; None for none, and for tensors."""
    fit = [c for c in categories or () if isinstance(c, str) == (one.element == "string")]
    return frozenset(fit) if fit and one.kind is not InputKind.TENSOR else None


def _input(value: ValueInfoProto, *, fixed_to_one: bool) -> Input:
    element = element_of(value.type)
    if element is None or not value.type.HasField("tensor_type"):
        raise SignatureError(
            f"the input {value.name!r} is no tensor of numbers, booleans or text, "
            "so no column can feed it. Export the model with tensor inputs."
        )
    shape = dimensions(value)
    if shape is None:
        shape = (None, None)
    elif fixed_to_one:
        shape = (None, *shape[1:])
    return Input(name=value.name, element=element, shape=shape, kind=_kind(shape))


def _sized(one: Input, shape: tuple[int, ...]) -> Input:
    """The input with a row's shape fixed; it is fed as before."""
    free = one.shape[1:]
    if len(shape) != len(free) or any(
        want not in (None, have) for want, have in zip(free, shape, strict=True)
    ):
        wants = ", ".join(str(d or "?") for d in free)
        raise SignatureError(
            f"shapes= gives {one.name!r} rows of the shape {list(shape)}, and its input takes "
            f"[{wants}]"
        )
    return dataclasses.replace(one, shape=(one.shape[0], *shape))


def _kind(shape: tuple[int | None, ...]) -> InputKind:
    if not shape or shape[0] is not None:
        return InputKind.CONSTANT
    if len(shape) == 1 or shape[1:] == (1,):
        return InputKind.COLUMN
    if len(shape) == 2 and shape[1] is not None:
        return InputKind.BLOCK
    return InputKind.TENSOR


def _widened(inputs: tuple[Input, ...], given: Sequence[str] | None) -> tuple[Input, ...]:
    """Make the only input of the shape ``[N, ?]`` a block as wide as the names given for it."""
    open_ = [one for one in inputs if one.shape == (None, None)]
    rest = sum(_width(one) for one in inputs if one not in open_)
    if given is None or len(open_) != 1 or len(given) <= rest:
        return inputs
    width = len(given) - rest
    block = Input(
        name=open_[0].name,
        element=open_[0].element,
        shape=(None, width),
        kind=_kind((None, width)),
    )
    return tuple(block if one is open_[0] else one for one in inputs)


def _width(one: Input) -> int:
    """How many features feed an input."""
    if one.kind is InputKind.BLOCK:
        return one.shape[1] or 0
    return 0 if one.kind is InputKind.CONSTANT else 1


def _names(
    inputs: tuple[Input, ...], given: Sequence[str] | None, metadata: Sequence[str]
) -> tuple[dict[str, Sequence[str]], bool]:
    """The features' names by input, and whether all of them are real."""
    total = sum(_width(one) for one in inputs)
    blocks = [one for one in inputs if one.kind is InputKind.BLOCK]
    for names in (given, metadata):
        if names and len(names) == total:
            return _dealt(inputs, names), True
        if names and len(blocks) == 1 and len(names) == _width(blocks[0]):
            return _by_rule(inputs) | {blocks[0].name: names}, True
    if given is not None:
        wants = ", ".join(f"{one.name!r} ({_width(one)})" for one in inputs if _width(one))
        raise SignatureError(
            f"features= names {len(given)} features, and the model takes {total}: {wants}"
        )
    return _by_rule(inputs), not blocks


def _dealt(inputs: tuple[Input, ...], names: Sequence[str]) -> dict[str, Sequence[str]]:
    left = iter(names)
    return {one.name: [next(left) for _ in range(_width(one))] for one in inputs}


def _by_rule(inputs: tuple[Input, ...]) -> dict[str, Sequence[str]]:
    """An input of one column gives its own name, a block made-up ones."""
    names: dict[str, Sequence[str]] = {}
    made_up = 0
    for one in inputs:
        if one.kind is InputKind.BLOCK:
            names[one.name] = [f"f{made_up + i}" for i in range(_width(one))]
            made_up += _width(one)
        else:
            names[one.name] = [one.name] * _width(one)
    return names


def _metadata_names(model: ModelProto) -> Sequence[str]:
    """The metadata's ``feature_names``; none where that is not a JSON list of different names."""
    text = next((p.value for p in model.metadata_props if p.key == "feature_names"), "[]")
    try:
        names = json.loads(text)
    except json.JSONDecodeError:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return names if len(set(names)) == len(names) else ()
