"""A batch's variables: their types, their values, and how a value becomes a part of a statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from sqlscore.errors import StatementError, nearest
from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.tree import Predict
from sqlscore.predict.types import arrow_type, cast_type
from sqlscore.statements.places import place_of
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sqlscore.products.product import Product
    from sqlscore.statements.session import Session


@dataclass(slots=True)
class _Held:
    type: exp.DataType
    value: Any


class Variables:
    """The variables of a batch or of a running procedure, by name in any case."""

    def __init__(self, engine: Engine, product: Product, session: Session) -> None:
        self._engine, self._product, self._session = engine, product, session
        self._held: dict[str, _Held] = {}

    def declare(self, name: str, type_: exp.DataType, value: Any = None) -> None:
        """Add a variable."""
        arrow_type(type_)  # or it is no type
        self._held[name.casefold()] = _Held(type_, value)

    def assign(self, name: str, value: Any) -> None:
        """Give a variable another value."""
        self._held[name.casefold()].value = value

    def literal(self, name: str) -> exp.Expr:
        """The value of a variable that is there, in its type."""
        return self._as_literal(self._held[name.casefold()])

    def type_of(self, name: str, place: dict[str, int]) -> exp.DataType:
        """The declared type; `StatementError` where there is no such variable."""
        return self._find(name, place).type

    def value(self, parameter: exp.Expr, text: str) -> Any:
        """The value of a variable as a statement names it."""
        return self._find(parameter.name, place_of(parameter, text)).value

    def _find(self, name: str, place: dict[str, int]) -> _Held:
        held = self._held.get(name.casefold())
        if held is None:
            known = [f"@{other}" for other in self._held]
            raise StatementError(
                f"the variable @{name} is not declared in this batch.{nearest('@' + name, known)} "
                f"Declare it: DECLARE @{name} type = value",
                **place,
            )
        return held

    def put_into(self, tree: exp.Expression, text: str) -> exp.Expression:
        """The tree with values in place of variables, but for MODEL and table variables."""
        held = exp.Paren(this=tree)
        for parameter in list(tree.find_all(exp.Parameter)):
            if isinstance(parameter.parent, exp.Table | Predict | exp.Parameter):
                continue
            parameter.replace(self._literal(parameter, text))
        for call in list(tree.find_all(exp.Anonymous)):
            asked = self._session.function(call.name.upper())
            if asked is not None:
                type_, value = asked()
                call.replace(self._as_literal(_Held(exp.DataType.build(type_), value)))
        found: exp.Expression = held.this
        return found

    def _literal(self, parameter: exp.Parameter, text: str) -> exp.Expr:
        if isinstance(parameter.this, exp.Parameter):
            return self._system(parameter, text)
        return self._as_literal(self._find(parameter.name, place_of(parameter, text)))

    def _as_literal(self, held: _Held) -> exp.Expr:
        if held.value is None:
            return exp.Cast(this=exp.Null(), to=held.type.copy())
        if of_type(held.type) is Kind.INTEGER:
            return exp.Literal.number(int(held.value))
        plain = exp.DataType(this=held.type.this)  # a length has been kept to already
        decimal = held.type.this is exp.DType.DECIMAL
        written = exp.Var(this=self._written(held))
        return exp.Cast(this=written, to=held.type.copy() if decimal else plain)

    def _written(self, held: _Held) -> str:
        """The value as the product's own literal, safe whatever it holds."""
        meant = arrow_type(cast_type(held.type) if held.type.this is exp.DType.BIT else held.type)
        column = Column(name="", type=meant, declared=self._product.declare(meant))
        literal = self._product.literal(held.value, column)
        return str(
            literal.compile(dialect=self._engine.dialect, compile_kwargs={"literal_binds": True})
        )

    def _system(self, parameter: exp.Parameter, text: str) -> exp.Expr:
        name = parameter.this.name.upper()
        known = self._session.variable(name)
        if known is not None:
            return exp.Literal.number(known)
        if self._product.t_sql:
            return parameter.copy()
        raise StatementError(f"@@{name} is not supported here", **place_of(parameter, text))


def is_binary(type_: exp.DataType) -> bool:
    """Whether a variable holds bytes, such as a model."""
    return bool(pa.types.is_binary(arrow_type(type_)))
