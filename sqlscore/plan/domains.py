"""What DATA's columns can hold: by conditions, types and what the database enforces. Pure.

A bound is taken a little wider than it is written: databases compare a column with a decimal
literal as decimals, doubles or 4-byte floats.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlscore.plan.learning import learn
from sqlscore.predict.ctes import cte_of
from sqlscore.predict.scope import key_of, qualifier
from sqlscore.pushdown.domains import UNKNOWN, Domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlscore.plan.learning import Known
    from sqlscore.predict.scope import Key
    from sqlscore.types import Column


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
            learn(_parsed(text, dialect), known, checked=True)
    found = {}
    for column in columns:
        name = column.name.casefold()
        domain = _rounded(known.get(("", name), UNKNOWN), column, loose=loose)
        domain = domain if loose else domain & by_type(column)
        found[name] = domain if column.nullable else domain & Domain(null=False)
    return found


@lru_cache(maxsize=512)
def _parsed(text: str, dialect: str) -> exp.Expr:
    """A condition's tree, which nobody changes: a table's are the same for many statements."""
    return parse_one(text, dialect=dialect)


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
        learn(where.this, known)
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
