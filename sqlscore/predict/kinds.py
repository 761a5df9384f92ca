"""What kind of value an expression gives, as far as T-SQL's meaning hangs on it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.types import Column


class Kind(Enum):
    """The kinds that T-SQL's operators tell apart; None stands for what nobody knows."""

    INTEGER = "integer"
    NUMBER = "number"  #: with a fraction
    TEXT = "text"
    TRUTH = "truth"  #: a database's own boolean, which T-SQL has not
    DATE = "date"
    MOMENT = "moment"  #: a date and a time
    OTHER = "other"  #: times of the day, binary


def of_arrow(type_: pa.DataType) -> Kind | None:
    """The kind of a column."""
    if pa.types.is_null(type_):
        return None
    if pa.types.is_boolean(type_):
        return Kind.TRUTH
    if pa.types.is_integer(type_):
        return Kind.INTEGER
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return Kind.NUMBER
    if pa.types.is_date(type_):
        return Kind.DATE
    if pa.types.is_timestamp(type_):
        return Kind.MOMENT
    return Kind.TEXT if is_text(type_) else Kind.OTHER


def of_column(column: Column) -> Kind | None:
    """The kind of a column, whose declared type says more than text where dates are text."""
    kind = of_arrow(column.type)
    if kind is Kind.TEXT and column.declared:
        return _DECLARED.get(column.declared.partition("(")[0].strip().lower(), kind)
    return kind


_DECLARED = {
    "date": Kind.DATE, "datetime": Kind.MOMENT, "datetime2": Kind.MOMENT,
    "smalldatetime": Kind.MOMENT, "timestamp": Kind.MOMENT,
}  # fmt: skip


def of_type(type_: exp.DataType) -> Kind:
    """The kind of a declared type."""
    if type_.this in exp.DataType.INTEGER_TYPES or type_.this is exp.DType.BIT:
        return Kind.INTEGER
    if type_.this in exp.DataType.NUMERIC_TYPES or type_.this in _MONEY:
        return Kind.NUMBER
    if type_.this is exp.DType.DATE:
        return Kind.DATE
    if type_.this in _MOMENTS:
        return Kind.MOMENT
    return Kind.TEXT if type_.this in exp.DataType.TEXT_TYPES else Kind.OTHER


_MOMENTS = exp.DataType.TEMPORAL_TYPES - {
    exp.DType.DATE,
    exp.DType.DATE32,
    exp.DType.TIME,
    exp.DType.TIMETZ,
}
_MONEY = {exp.DType.MONEY, exp.DType.SMALLMONEY}

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
#: functions whose kind is that of their argument
_SAME = (
    exp.Paren, exp.Neg, exp.Min, exp.Max, exp.Sum, exp.Avg, exp.Abs, exp.Window,
    exp.Alias, exp.Nullif, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.Filter,
    exp.Floor, exp.Ceil, exp.Round, exp.Trunc, exp.Sign, exp.TimestampTrunc, exp.WithinGroup,
    exp.Pow,
)  # fmt: skip
_KNOWN: tuple[tuple[tuple[type[exp.Expr], ...], Kind], ...] = (
    ((exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile), Kind.INTEGER),
    ((exp.Count, exp.Length, exp.StrPosition, exp.IntDiv), Kind.INTEGER),
    ((exp.Year, exp.Month, exp.Day, exp.Extract, exp.DateDiff), Kind.INTEGER),
    ((exp.Ascii, exp.Unicode, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor), Kind.INTEGER),
    ((exp.Exp, exp.Ln, exp.Log, exp.Sqrt, exp.Rand, exp.Stddev, exp.StddevPop), Kind.NUMBER),
    ((exp.Variance, exp.VariancePop), Kind.NUMBER),
    ((exp.LastDay, exp.DateFromParts, exp.TsOrDsToDate, exp.StrToDate), Kind.DATE),
    ((exp.CurrentTimestamp, exp.StrToTime), Kind.MOMENT),
    (
        (
            exp.Concat, exp.DPipe, exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.Left,
            exp.Right, exp.GroupConcat, exp.TimeToStr, exp.National, exp.Replace, exp.Chr,
            exp.Reverse, exp.Repeat, exp.Space, exp.Stuff, exp.ConcatWs, exp.NumberToStr,
            exp.Translate,
        ),
        Kind.TEXT,
    ),
    ((exp.Predicate,), Kind.TRUTH),
)  # fmt: skip


def kind_of(node: exp.Expr | None, column: Callable[[exp.Column], Kind | None]) -> Kind | None:
    """The kind of an expression; `column` tells that of its columns. None where nobody knows."""
    if node is None or isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Column):
        return column(node)
    if isinstance(node, exp.Literal):
        if node.is_string:
            return Kind.TEXT
        return Kind.INTEGER if node.is_int else Kind.NUMBER
    if isinstance(node, exp.Cast | exp.TryCast):
        return of_type(node.to)
    if isinstance(node, exp.Convert):
        return of_type(node.this) if isinstance(node.this, exp.DataType) else None
    return _composed(node, column)


def _composed(node: exp.Expr, column: Callable[[exp.Column], Kind | None]) -> Kind | None:
    if isinstance(node, _ARITHMETIC):
        return _wider(kind_of(node.this, column), kind_of(node.expression, column))
    if isinstance(node, exp.Coalesce):
        return _widest([node.this, *node.expressions], column)
    if isinstance(node, exp.Case):
        branches = [one.args["true"] for one in node.args["ifs"]]
        return _widest([*branches, node.args.get("default")], column)
    if isinstance(node, exp.If):
        return _widest([node.args["true"], node.args.get("false")], column)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
        selects = node.this.selects
        return kind_of(selects[0], column) if len(selects) == 1 else None
    if isinstance(node, _SAME):
        return kind_of(node.this, column)
    if isinstance(node, exp.DateAdd):
        moved = kind_of(node.this, column)
        return moved if moved in (Kind.DATE, Kind.MOMENT) else None
    return next((kind for types, kind in _KNOWN if isinstance(node, types)), None)


def _widest(
    nodes: list[exp.Expr | None], column: Callable[[exp.Column], Kind | None]
) -> Kind | None:
    kinds = [kind_of(node, column) for node in nodes if node is not None and not _is_null(node)]
    widest = kinds[0] if kinds else None
    for kind in kinds[1:]:
        widest = _wider(widest, kind)
    return widest


def _is_null(node: exp.Expr) -> bool:
    return isinstance(node, exp.Null)


#: T-SQL's order of types, the widest first
_ORDER = (Kind.OTHER, Kind.MOMENT, Kind.DATE, Kind.NUMBER, Kind.INTEGER, Kind.TEXT)


def _wider(left: Kind | None, right: Kind | None) -> Kind | None:
    """The kind of two values taken together, by T-SQL's order of types: numbers before text."""
    pair = {left, right}
    if None in pair:
        return None
    return next((k for k in _ORDER if k in pair), None)
