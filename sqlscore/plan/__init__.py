"""How a PREDICT is run, decided before anything is: pure, values in and a value out.

Predict x signature x DATA's columns x what the statement reads -> Plan, with its reasons
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.binding import Binding, bind
from sqlscore.errors import SignatureError, StatementError, nearest
from sqlscore.optimisations import Optimisation, optimisations
from sqlscore.predict import fed, given
from sqlscore.predict.misnamed import closest
from sqlscore.predict.scope import data_alias, qualifier
from sqlscore.predict.tree import OURS
from sqlscore.projection import projected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlscore.predict.asked import Output
    from sqlscore.predict.tree import Predict
    from sqlscore.signature import Signature
    from sqlscore.types import Column


class How(StrEnum):
    """What becomes of the predictions."""

    STREAM = "stream"  #: rows go through the model and on, and lie nowhere
    TABLE = "table"  #: rows and predictions become temporary tables, which the statement reads


class Route(StrEnum):
    """Where a model runs."""

    BRIDGE = "bridge"  #: here: rows come out of the database, predictions go back
    PUSH_DOWN = "push-down"  #: in the database, as SQL
    AUTO = "auto"  #: the cheaper one of those that the model can take


def route_named(name: str) -> Route:
    """A route by its name; `StatementError` for another one."""
    try:
        return Route(name)
    except ValueError:
        near = nearest(name, [*Route])
        raise StatementError(
            f"there is no route {name!r}.{near} Routes are: {', '.join(Route)}"
        ) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a caller says of how a statement is to run."""

    route: Route = Route.BRIDGE
    optimisations: Collection[Optimisation] = frozenset(Optimisation)

    @classmethod
    def of(cls, route: str, without: str | Iterable[str] = ()) -> Wishes:
        """By the words that callers use; `StatementError`, `SqlscoreError` for unknown ones."""
        return cls(route=route_named(route), optimisations=optimisations(without))

    def lasting(self) -> Wishes:
        """For a view: pushed down, by nothing that the tables may lose after it is made."""
        kept = frozenset(self.optimisations) - {Optimisation.STATISTICS}
        return Wishes(route=Route.PUSH_DOWN, optimisations=kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The facts of a product that bind predictions to columns."""

    identifier_limit: int
    column_limit: int
    arrays: bool
    nested: bool = True
    types_hold: bool = False  #: a column holds values of its type alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One PREDICT made ready."""

    binding: Binding
    outputs: tuple[Output, ...]
    kept: tuple[Column, ...]  #: DATA's columns that the statement reads beside the predictions
    reasons: tuple[str, ...]

    @property
    def read(self) -> tuple[Column, ...]:
        """Every column that is read of DATA, each once: features and those that are kept."""
        features = {bound.column.name: bound.column for bound in self.binding.features}
        return tuple({**{column.name: column for column in self.kept}, **features}.values())


def plan(
    predict: Predict,
    signature: Signature,
    columns: Sequence[Column],
    *,
    statement: exp.Expression,
    chosen: bool,
    limits: Limits,
    place: dict[str, int],
    wishes: Wishes,
) -> Plan:
    """Bind a PREDICT. `chosen` says that DATA names its columns one by one.

    Raises `StatementError`, at `place`, for DATA or WITH columns that do not bind.
    """
    try:
        candidates = fed.candidates(predict, columns, place)
        binding = bind(
            signature, fed.named(candidates), key=(), positional=chosen or fed.is_listed(predict),
            identifier_limit=limits.identifier_limit, column_limit=limits.column_limit,
            arrays=limits.arrays, nested=limits.nested,
        )  # fmt: skip
    except SignatureError as error:
        hint = " (in a statement: DATA = (SELECT column AS feature, … FROM …) AS d)"
        raise StatementError(f"DATA does not fit the model: {error}{hint}", **place) from error
    binding = fed.bound(binding, candidates)
    if Optimisation.PROJECTION in wishes.optimisations:
        binding = projected(binding, types_hold=limits.types_hold)
    outputs = given.outputs(predict, signature, binding, place)
    kept = kept_columns(predict, columns, statement)
    reasons = (*_reasons(binding, kept, columns), *given.reasons(outputs))
    return Plan(binding=binding, outputs=outputs, kept=kept, reasons=reasons)


def kept_columns(
    predict: Predict, columns: Sequence[Column], statement: exp.Expression
) -> tuple[Column, ...]:
    """The columns of DATA that the rest of a statement may name; all of them where it says ``*``.

    A name without a relation counts for every relation that has such a column.
    """
    alias = data_alias(predict).casefold()
    where = predict.args.get("where")
    parts = [predict.data, predict.model, *predict.features]
    parts += [where] if where is not None else []
    inside = {id(node) for part in parts for node in part.walk()}
    holders = (exp.Select, exp.Merge, exp.Update, exp.Delete)
    holder = predict.find_ancestor(*holders) or statement
    names: set[str] = set()
    every = False
    for node in holder.walk():
        if id(node) in inside or _is_count(node):
            continue
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Column | exp.Count):
            every = True
        elif isinstance(node, exp.Column) and qualifier(node) in ("", alias):
            every = every or node.is_star
            names.add(node.name.casefold())
    return tuple(
        column
        for column in columns
        if column.name.casefold() in names or (every and not column.name.startswith(OURS))
    )


def stray(
    predict: Predict, columns: Sequence[Column], outputs: Sequence[Output]
) -> tuple[exp.Column, str] | None:
    """A column of the SELECT around a PREDICT that is none of its, and what to say; or None."""
    select = predict.find_ancestor(exp.Select)
    alias, own = data_alias(predict).casefold(), predict.alias.casefold()
    data, given_names = [one.name for one in columns], [one.name for one in outputs]
    relations = {alias: ("DATA has", data)}
    if predict.args.get("whole"):
        relations[own] = ("ML.PREDICT gives", [*given_names, *data])
    elif own != alias:
        relations[own] = ("PREDICT gives", given_names)
    for column in select.find_all(exp.Column) if select is not None else ():
        if column.is_star or not column.table or column.find_ancestor(exp.Select) is not select:
            continue
        words, names = relations.get(qualifier(column), ("", []))
        if words and column.name.casefold() not in (name.casefold() for name in names):
            return column, f"{words} no column {column.name!r}.{closest(column.name, names)}"
    return None


def _is_count(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)


def _reasons(
    binding: Binding, kept: Sequence[Column], columns: Sequence[Column]
) -> tuple[str, ...]:
    reasons = []
    if binding.by_position:
        reasons.append("the model names no features: DATA's columns bind in their order")
    read = {bound.column.name for bound in binding.features} | {column.name for column in kept}
    if len(read) < len(columns):
        reasons.append(f"{len(read)} of DATA's {len(columns)} columns are read")
    if binding.idle:
        names = ", ".join(bound.feature.name for bound in binding.idle)
        reasons.append(f"projection: nothing in the model looks at {names}")
    return tuple(reasons)


def storage(type_: pa.DataType) -> pa.DataType:
    """The type of a column in which predictions lie for a moment: T-SQL's bit is a number."""
    return pa.int16() if pa.types.is_boolean(type_) else type_
