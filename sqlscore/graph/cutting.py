"""A graph cut to the features that are read: pure, bytes in and bytes out.

What nothing looks at goes, from the inputs on: the places in a block, inputs of one column, their
share of scalers, imputers and constants, the encoders of texts, and the numbers by which trees call
their columns. What is left is computed by the same operators from the same values, each for its
column alone, so every prediction stays the same bits. A linear model is left whole: its sum has
another order over fewer weights.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, numpy_helper

from sqlscore.graph.nodes import constants, dimensions, used_inputs
from sqlscore.graph.stored import serialized
from sqlscore.graph.use import TREES, columns_of, moved, text_inputs, uses_of
from sqlscore.signature import InputKind, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from onnx import GraphProto, NodeProto

    from sqlscore.graph.moves import Source
    from sqlscore.signature import Signature


#: inputs that are fed at once, and not feature by feature
_WHOLE = {InputKind.CONSTANT, InputKind.TENSOR}


class _Unknown(Exception):
    """Something in the graph is not known to give the same bits when it is cut."""


def cut_to(
    model: bytes, signature: Signature, features: int, *, rowwise: bool
) -> tuple[bytes, Signature]:
    """What runs for a signature that may lack some of a model's `features`, and its signature.

    A model that runs row by row stays whole.
    """
    lacks = len(signature.features) < features
    return cut(model, signature) if lacks and not rowwise else (model, signature)


def cut(model: bytes, signature: Signature) -> tuple[bytes, Signature]:
    """The graph without the features that the signature has no more, and its signature.

    Both as they are given where nothing goes, or where the rest might give other bits.
    """
    proto = ModelProto.FromString(model)
    whole = {one.name for one in signature.inputs if one.kind in _WHOLE}
    widths = {
        value.name: 0 if value.name in whole else _width(dimensions(value))
        for value in used_inputs(proto.graph)
    }
    read = {(feature.input, feature.position) for feature in signature.features}
    uses = uses_of(proto, widths)
    gone = {source for source, use in uses.items() if use is Use.NEVER} - read
    if not gone:
        return model, signature
    try:
        _Cutter(proto.graph, widths, gone).cut()
    except _Unknown:
        return model, signature
    return serialized(proto, "the model that is left"), _narrowed(signature, gone)


def _width(shape: tuple[int | None, ...] | None) -> int:
    """Features that feed an input; 0 for one that is never cut."""
    if shape is None or not 1 <= len(shape) <= 2:
        return 0
    return 1 if len(shape) == 1 else shape[1] or 0


def _narrowed(signature: Signature, gone: Collection[Source]) -> Signature:
    """The signature with the places that are left in each block."""
    dropped = {name: sorted(j for one, j in gone if one == name) for name, _ in gone}
    inputs = tuple(
        dataclasses.replace(one, shape=(one.shape[0], one.shape[1] - len(dropped[one.name])))
        if one.kind is InputKind.BLOCK and one.name in dropped and one.shape[1] is not None
        else one
        for one in signature.inputs
    )
    features = tuple(
        dataclasses.replace(f, position=f.position - sum(j < f.position for j in dropped[f.input]))
        if f.input in dropped
        else f
        for f in signature.features
    )
    return dataclasses.replace(signature, inputs=inputs, features=features)


class _Cutter:
    """Changes a graph in place; raises `_Unknown` where it may not."""

    def __init__(
        self, graph: GraphProto, widths: Mapping[str, int], gone: Collection[Source]
    ) -> None:
        self.graph, self.gone = graph, gone
        self.known = columns_of(graph, widths)
        self.fixed = constants(graph)

    def kept(self, name: str) -> list[int]:
        """The places of a value's columns that are left."""
        return [j for j, source in enumerate(self.known[name]) if source not in self.gone]

    def is_cut(self, name: str) -> bool:
        """Whether a value loses columns."""
        return name in self.known and len(self.kept(name)) < len(self.known[name])

    def is_gone(self, name: str) -> bool:
        """Whether it loses all of them."""
        return self.is_cut(name) and not self.kept(name)

    def cut(self) -> None:
        """Follow the columns through the graph, and take from every node what goes."""
        texts = text_inputs(self.graph)
        left = [node for node in self.graph.node if self._is_left(node, texts)]
        if any(self.is_cut(output.name) for output in self.graph.output):
            raise _Unknown
        del self.graph.node[:]
        self.graph.node.extend(left)
        del self.graph.value_info[:]
        for value in list(self.graph.input):
            if self.is_gone(value.name):
                self.graph.input.remove(value)
            elif self.is_cut(value.name):
                shape = value.type.tensor_type.shape
                shape.dim[1].dim_value = len(self.kept(value.name))
        if not used_inputs(self.graph):
            raise _Unknown

    def _is_left(self, node: NodeProto, texts: Collection[str]) -> bool:
        given = [name for name in node.input if self.is_cut(name)]
        found = moved(node, self.known, self.fixed, texts)
        if found is not None:
            self.known.update(zip(node.output, found, strict=False))
        if not given:
            return True
        if node.op_type in TREES:
            self._renumber(node)
        elif found is None:
            raise _Unknown
        elif all(self.is_gone(name) for name in node.output):
            return False
        else:
            _CUTS[node.op_type](self, node)
        return True

    def constant(self, node: NodeProto, place: int, value: np.ndarray) -> None:
        """Give a node a constant of its own."""
        name = f"{node.output[0]}/cut_{place}"
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        node.input[place] = name

    def _renumber(self, node: NodeProto) -> None:
        """The places of what trees ask for; a leaf asks for nothing."""
        kept = self.kept(node.input[0])
        if not kept:
            raise _Unknown
        places = {j: i for i, j in enumerate(kept)}
        for attribute in node.attribute:
            if attribute.name == "nodes_featureids":
                attribute.ints[:] = [places.get(j, 0) for j in attribute.ints]


def _as_it_is(cutter: _Cutter, node: NodeProto) -> None:
    """It takes whatever there is."""


def _attributes(cutter: _Cutter, node: NodeProto) -> None:
    """Scaler, Imputer: one value a column, or one for all."""
    columns, kept = cutter.known[node.input[0]], cutter.kept(node.input[0])
    for attribute in node.attribute:
        for values in (attribute.floats, attribute.ints):
            if len(values) > 1 and len(values) != len(columns):
                raise _Unknown
            if len(values) > 1:
                values[:] = [values[j] for j in kept]


def _constants(cutter: _Cutter, node: NodeProto) -> None:
    """Arithmetic with one value a column, or one for all."""
    (given,) = (name for name in node.input if name in cutter.known)
    columns, kept = cutter.known[given], cutter.kept(given)
    for place, name in enumerate(node.input):
        value = cutter.fixed.get(name)
        if name == given or value is None or value.size == 1:
            continue
        if value.shape[-1] != len(columns):
            raise _Unknown
        cutter.constant(node, place, value[..., kept])


def _index(cutter: _Cutter, node: NodeProto) -> None:
    """Gather, ArrayFeatureExtractor: the new places of the columns that are left."""
    columns, kept = cutter.known[node.input[0]], cutter.kept(node.input[0])
    places = {j: i for i, j in enumerate(kept)}
    index = cutter.fixed[node.input[1]]
    asked = [int(j) % len(columns) for j in index.ravel()]
    wanted = [places[j] for j in asked if j in places]
    shape = (*index.shape[:-1], len(wanted)) if index.ndim else ()
    cutter.constant(node, 1, np.array(wanted, index.dtype).reshape(shape))


def _shape(cutter: _Cutter, node: NodeProto) -> None:
    """Reshape to the columns of a row."""
    if node.op_type == "Reshape":
        first = cutter.fixed[node.input[1]][0]
        cutter.constant(node, 1, np.array([first, len(cutter.kept(node.input[0]))], np.int64))


def _together(cutter: _Cutter, node: NodeProto) -> None:
    """Concat, FeatureVectorizer: of what is left."""
    left = [name for name in node.input if not cutter.is_gone(name)]
    for attribute in node.attribute:
        if attribute.name == "inputdimensions":
            if list(attribute.ints) != [len(cutter.known[name]) for name in node.input]:
                raise _Unknown
            attribute.ints[:] = [len(cutter.kept(name)) for name in left]
    node.input[:] = left


_CUTS: dict[str, Callable[[_Cutter, NodeProto], None]] = {
    **dict.fromkeys(("Identity", "Cast", "LabelEncoder"), _as_it_is),
    **dict.fromkeys(("Scaler", "Imputer"), _attributes),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _constants),
    **dict.fromkeys(("ArrayFeatureExtractor", "Gather"), _index),
    **dict.fromkeys(("Reshape", "Flatten"), _shape),
    **dict.fromkeys(("Concat", "FeatureVectorizer"), _together),
}
