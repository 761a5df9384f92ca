"""Encoders: a value that is looked up by a column of text or of numbers."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.comparisons import between
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql.arithmetic import constant, expression, operand
from sqlscore.pushdown.sql.texts import same_text
from sqlscore.pushdown.values.cells import Choice, Line, Term, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def one_hot(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """OneHotEncoder: a column for each category, which is 1 where the value is that one."""
    texts = node.texts("cats_strings")
    keys: Sequence[str | int] = texts or node.integers("cats_int64s")
    if bool(texts) != (x.element == "string"):
        raise Refused(f"it has categories of another type than its input, {x.element}")
    columns, places = [], []
    for cell in map(settled, x.row):
        if isinstance(cell, Choice):
            columns += [_is_one(cell, key) for key in keys]
            places.append(cell.mapped(partial(_place, keys)))
            continue
        tests = _tests(cell, keys, facts, whole=True)
        whole = Choice(
            feature=_feature(cell), tests=tests, values=tuple(range(len(keys))), otherwise=-1
        )
        columns += [_is_one(whole, place) for place in range(len(keys))]
        places.append(whole)
    made = Tensor.of(columns, "float", (*x.cells.shape, len(keys)))
    if node.integer("zeros", 1):
        return made
    none = [expression(place.mapped(lambda at: at < 0), facts) for place in places]
    return dataclasses.replace(made, lost=tuple(none))


def _is_one(choice: Choice, key: str | int) -> Choice:
    """1 where what is looked up is a category, which a number without its fraction may be."""

    return choice.mapped(lambda values: (_whole(values) == key).astype(np.float64))


def _place(keys: Sequence[str | int], values: np.ndarray) -> np.ndarray:
    """Which of the categories each value is; -1 where it is none."""
    return np.array([keys.index(v) if v in keys else -1 for v in _whole(values).tolist()])


def _whole(values: np.ndarray) -> np.ndarray:
    return np.trunc(values) if np.issubdtype(values.dtype, np.floating) else values


def string_normalizer(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """StringNormalizer that leaves texts as they are."""
    if node.texts("stopwords"):
        raise Refused("it removes texts, and so rows")
    action = node.text("case_change_action", "NONE")
    if action != "NONE":
        raise Refused(f"it changes the case ({action}), which databases do each in its own way")
    return x


def label_encoder(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """LabelEncoder: a value for each key, and one for all others."""
    keys, values, default = _pairs(node)
    if any(isinstance(key, float) and math.isnan(key) for key in keys):
        raise Refused("NaN is one of its keys")
    cells: list[Cell] = []
    for cell in map(settled, x.row):
        if isinstance(cell, Term | Line):
            tests = _tests(cell, keys, facts, whole=False)
            cells.append(
                Choice(feature=_feature(cell), tests=tests, values=tuple(values), otherwise=default)
            )
        elif isinstance(cell, Choice):
            table = dict(zip(keys, values, strict=True))
            cells.append(
                dataclasses.replace(
                    cell,
                    values=tuple(table.get(value, default) for value in cell.values),
                    otherwise=table.get(cell.otherwise, default),
                )
            )
        else:
            cells.append(dict(zip(keys, values, strict=True)).get(cell, default))
    return Tensor.of(cells, _element(values), x.cells.shape)


def _pairs(
    node: Node,
) -> tuple[list[str | float | int], list[str | float | int], str | float | int]:
    kinds = {"strings": node.texts, "int64s": node.integers, "floats": _float32s(node)}
    keys = next((read(f"keys_{k}") for k, read in kinds.items() if node.has(f"keys_{k}")), None)
    kind = next((k for k in kinds if node.has(f"values_{k}")), None)
    if keys is None or kind is None:
        return _tensors(node)
    defaults: dict[str, str | float | int] = {
        "strings": node.text("default_string", "_Unused"),
        "int64s": node.integer("default_int64", -1),
        "floats": node.float("default_float", -0.0),
    }
    return list(keys), list(kinds[kind](f"values_{kind}")), defaults[kind]


def _tensors(
    node: Node,
) -> tuple[list[str | float | int], list[str | float | int], str | float | int]:
    if not node.has("keys_tensor") or not node.has("values_tensor"):
        raise Refused("a form of keys and values that is not known here")
    values = node.plain("values_tensor")
    fallback: str | float | int = "_Unused" if isinstance(values[0], str) else -1
    default = node.plain("default_tensor") or [fallback]
    return node.plain("keys_tensor"), values, default[0]


def _float32s(node: Node):  # type: ignore[no-untyped-def]
    return lambda name: [float(np.float32(v)) for v in node.floats(name)]


def _element(values: Sequence[str | float | int]) -> str:
    if isinstance(values[0], str):
        return "string"
    return "int64" if isinstance(values[0], int) else "float"


def _feature(cell: Cell) -> str:
    return cell.feature if isinstance(cell, Line) else next(iter(cell.needs), "")  # type: ignore[union-attr]


def _tests(
    cell: Cell, keys: Sequence[str | float | int], facts: Expressions, *, whole: bool
) -> tuple[exp.Expression, ...]:
    """For each key whether the cell is equal to it; `whole` cuts a number's fraction off first."""
    if isinstance(cell, Term) and cell.exact and isinstance(keys[0], str):
        return same_text(cell.sql, [str(key) for key in keys], facts)
    if isinstance(cell, Term) and cell.exact:
        return tuple(
            exp.EQ(this=operand(cell.sql), expression=constant(key, facts)) for key in keys
        )
    if isinstance(cell, Line) and cell.missing is None:
        bounds = [_bounds(float(key), cell.dtype, whole=whole) for key in keys]
        return tuple(between(cell, low, high, facts) for low, high in bounds)
    raise Refused("its input is computed on the way, and not a column")


def _bounds(key: float, dtype: type[np.floating[Any]], *, whole: bool) -> tuple[float, float]:
    """The values that count as a key: from the first to the last."""
    if not whole:
        return key, key
    last = float(np.nextafter(dtype(key + 1), dtype(-np.inf))) if key >= 0 else key
    first = float(np.nextafter(dtype(key - 1), dtype(np.inf))) if key <= 0 else key
    return first, last
