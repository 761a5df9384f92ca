"""What DATA's columns can hold: by conditions, types and what the database enforces. Pure.

A bound is taken a little wider than it is written: databases compare a column with a decimal
literal as decimals, doubles or 4-byte floats.
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import suppress
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlscore.predict.ctes import cte_of
from sqlscore.predict.scope import key_of, qualifier
from sqlscore.pushdown.domains import UNKNOWN, Domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlscore.predict.scope import Key
    from sqlscore.types import Column

    #: relation and column, folded
    Name = tuple[str, str]
    Known = dict[Name, Domain]

_WIDER = 1e-6  #: of a bound on a floating-point column: more than a 4-byte float rounds
_WHOLE = 2.0**53  #: whole numbers up to here are doubles


def by_conditions(
    query: exp.Select, columns: Iterable[Column], *, loose: bool = False
) -> dict[str, Domain]:
    """Column of a query -> what its conditions leave of it; only those of which they leave less.

    `loose` says that a column may hold other values than its type's.
    """
    known = _of(query, {}, learns=True)
    found = {}
    for column in columns:
        domain = known.get(column.name.casefold(), UNKNOWN)
        if domain != UNKNOWN:
            found[column.name] = _rounded(domain, column, loose=loose)
    return found


def by_tables(
    query: exp.Select, columns: Iterable[Column], tables: Mapping[Key, Mapping[str, Domain]]
) -> dict[str, Domain]:
    """Column of a query -> what is known of the table's column that it is."""
    known = _of(query, tables, learns=False)
    found = {column.name: known.get(column.name.casefold(), UNKNOWN) for column in columns}
    return {name: domain for name, domain in found.items() if domain != UNKNOWN}


def of_table(
    columns: Iterable[Column], enforced: Iterable[str], dialect: str, *, loose: bool
) -> dict[str, Domain]:
    """Column of a table, folded -> what its type, NOT NULL and enforced conditions say.

    `enforced` are conditions that no row of the table fails, in its database's own SQL.
    """
    known: Known = {}
    for text in enforced:
        with suppress(SqlglotError):
            _learn(parse_one(text, dialect=dialect), known, checked=True)
    found = {}
    for column in columns:
        name = column.name.casefold()
        domain = _rounded(known.get(("", name), UNKNOWN), column, loose=loose)
        domain = domain if loose else domain & by_type(column)
        found[name] = domain if column.nullable else domain & Domain(null=False)
    return found


def by_type(column: Column) -> Domain:
    """What a type holds, on a product whose columns hold their types alone."""
    type_ = column.type
    if pa.types.is_boolean(type_):
        return Domain(low=0.0, high=1.0, nan=False, tiny=False)
    if pa.types.is_integer(type_):
        bits = type_.bit_width
        signed = pa.types.is_signed_integer(type_)
        low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1)) if signed else (0.0, 2.0**bits)
        return Domain(low=low, high=high, nan=False, tiny=False)
    if pa.types.is_decimal(type_) and "(" in (column.declared or ""):
        most = 10.0 ** (type_.precision - type_.scale)
        return Domain(low=-most, high=most, tiny=type_.scale > 40)
    return UNKNOWN


def _of(
    query: exp.Expr | None, tables: Mapping[Key, Mapping[str, Domain]], *, learns: bool
) -> dict[str, Domain]:
    """Output column of a query, folded -> its domain."""
    if not isinstance(query, exp.Select):
        return {}
    known: Known = {}
    start = query.args.get("from_")
    alone = start is not None and not start.this.args.get("joins") and not query.args.get("joins")
    if start is not None and alone:
        inner = start.this
        for name, domain in _below(inner, tables, learns=learns).items():
            known["", name] = known[inner.alias_or_name.casefold(), name] = domain
    where = query.args.get("where")
    if learns and where is not None:
        _learn(where.this, known)
    found: dict[str, Domain] = {}
    for one in query.selects:
        if one.is_star:
            star = qualifier(one) if isinstance(one, exp.Column) and not alone else ""
            found |= {name: domain for (alias, name), domain in known.items() if alias == star}
            continue
        column = one.this if isinstance(one, exp.Alias) else one
        if isinstance(column, exp.Column):
            name = column.name.casefold()
            domain = known.get(("" if alone else qualifier(column), name), UNKNOWN)
            found[one.alias_or_name.casefold()] = domain
    return found


def _below(
    inner: exp.Expr, tables: Mapping[Key, Mapping[str, Domain]], *, learns: bool
) -> Mapping[str, Domain]:
    """What is known of the columns of the one relation that a query reads."""
    if not isinstance(inner, exp.Table):
        return _of(inner.this, tables, learns=learns) if isinstance(inner, exp.Subquery) else {}
    cte = cte_of(inner)
    if cte is not None:
        renamed = cte.args["alias"].args.get("columns")
        return {} if renamed else _of(cte.this, tables, learns=learns)
    return tables.get(key_of(inner), {})


def learned(condition: exp.Expr) -> Known:
    """(Relation, column), folded -> what a condition that is true says of it, as it is written."""
    known: Known = {}
    _learn(condition, known)
    return known


def _learn(condition: exp.Expr, known: Known, *, checked: bool = False) -> None:
    """Add what a condition that is true says; one that is `checked` is true of NULL, too."""
    for part in _parts(condition):
        named = _one(part)
        if named is None:
            continue
        column, domain = named
        if checked and not _says_null(part):  # a check lets NULL pass
            domain = dataclasses.replace(domain, null=True)
        for alias in {qualifier(column), ""}:
            name = (alias, column.name.casefold())
            known[name] = known.get(name, UNKNOWN) & domain


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    while isinstance(condition, exp.Paren):
        condition = condition.this
    if isinstance(condition, exp.And):
        yield from _parts(condition.this)
        yield from _parts(condition.expression)
    else:
        yield condition


def _one(part: exp.Expr) -> tuple[exp.Column, Domain] | None:
    """A column, and what a condition on it alone leaves."""
    if _says_null(part):
        return part.this.this, Domain(null=False)
    column = _column(part.args.get("this"))
    if isinstance(part, exp.Between) and column is not None:
        low, high = _number(part.args["low"]), _number(part.args["high"])
        if low is not None and high is not None and not part.args.get("symmetric"):
            return column, Domain(low=low, high=high, nan=False, null=False)
    if isinstance(part, exp.In) and column is not None and part.expressions:
        values = [_number(one) for one in part.expressions]
        numbers = [value for value in values if value is not None]
        if len(numbers) == len(values):
            return column, Domain(low=min(numbers), high=max(numbers), nan=False, null=False)
    if type(part) in _COMPARED:
        return _compared(part)
    return None


def _compared(part: exp.Expr) -> tuple[exp.Column, Domain] | None:
    kind = type(part)
    column, value = _column(part.this), _number(part.expression)
    if column is None or value is None:
        column, value, kind = _column(part.expression), _number(part.this), _TURNED[kind]
    if column is None or value is None:
        return None
    # NaN is more than every number, so only an upper bound keeps it out
    if kind in (exp.GT, exp.GTE):
        return column, Domain(low=value, null=False)
    low = value if kind is exp.EQ else -math.inf
    return column, Domain(low=low, high=value, nan=False, null=False)


_TURNED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE,
}  # fmt: skip
_COMPARED = set(_TURNED)


def _says_null(part: exp.Expr) -> bool:
    """``column IS NOT NULL``."""
    inner = part.this if isinstance(part, exp.Not) else None
    return (
        isinstance(inner, exp.Is)
        and isinstance(inner.this, exp.Column)
        and isinstance(inner.expression, exp.Null)
    )


def _column(node: exp.Expr | None) -> exp.Column | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node if isinstance(node, exp.Column) and not node.is_star else None


def _number(node: exp.Expr) -> float | None:
    """A literal number, with its sign, and a cast around it."""
    if isinstance(node, exp.Paren):
        return _number(node.this)
    if isinstance(node, exp.Cast) and node.to.this in _NUMERIC:
        return _number(node.this) if not _is_text(node.this) else _parsed(node.this.name)
    if isinstance(node, exp.Neg):
        value = _number(node.this)
        return None if value is None else -value
    return _parsed(node.name) if isinstance(node, exp.Literal) and not node.is_string else None


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _parsed(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_NUMERIC = {*exp.DataType.FLOAT_TYPES, exp.DataType.Type.DECIMAL}


def _rounded(domain: Domain, column: Column, *, loose: bool) -> Domain:
    """Bounds made wider by what a comparison may round; zero may have either sign."""
    whole = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if whole and not loose and max(_size(domain.low), _size(domain.high)) < _WHOLE:
        low = math.ceil(domain.low) if math.isfinite(domain.low) else domain.low
        high = math.floor(domain.high) if math.isfinite(domain.high) else domain.high
        return Domain(low=low, high=high, nan=False, null=domain.null, tiny=False)
    low = domain.low - _WIDER * abs(domain.low) if math.isfinite(domain.low) else domain.low
    high = domain.high + _WIDER * abs(domain.high) if math.isfinite(domain.high) else domain.high
    return Domain(
        low=math.nextafter(low, -math.inf), high=math.nextafter(high, math.inf),
        nan=domain.nan, null=domain.null,
    )  # fmt: skip


def _size(bound: float) -> float:
    return abs(bound) if math.isfinite(bound) else 0.0


def together(*several: Mapping[str, Domain]) -> dict[str, Domain]:
    """What all of them allow."""
    names = {name for one in several for name in one}
    return {
        name: reduce(Domain.__and__, (one.get(name, UNKNOWN) for one in several), UNKNOWN)
        for name in names
    }
