"""What becomes of each kind of node where a T-SQL statement is written for a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.rules import (
    as_written,
    casts,
    clauses,
    dates,
    functions,
    matching,
    names,
    operators,
    output,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: node -> what becomes of it; None: it was changed in place, or stays
RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Table: names.table,
    exp.TableAlias: names.table_alias,
    exp.Column: names.column,
    exp.Alias: names.quoted_alias,
    exp.Cast: casts.cast,
    exp.TryCast: casts.try_cast,
    exp.Convert: casts.convert,
    exp.ColumnDef: casts.column_def,
    exp.Div: operators.div,
    exp.Add: operators.add,
    exp.Length: operators.length,
    exp.Avg: operators.average,
    exp.National: operators.national,
    exp.EQ: operators.equal,
    exp.NEQ: operators.equal,
    **dict.fromkeys((exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between), dates.compared),
    exp.Sub: operators.subtract,
    exp.DateDiff: dates.difference,
    exp.DateAdd: dates.moved,
    exp.Extract: dates.part,
    exp.CurrentTimestamp: dates.now,
    exp.Like: matching.like,
    exp.Stuff: functions.stuff,
    exp.Round: functions.rounded,
    exp.Pow: functions.power,
    exp.NumberToStr: functions.number_text,
    exp.Anonymous: functions.anonymous,
    exp.Limit: clauses.limit,
    exp.Fetch: clauses.limit,
    exp.Lateral: clauses.lateral,
    exp.Collate: clauses.collate,
    exp.Schema: names.schema,
    exp.PrimaryKey: names.primary_key,
    exp.UniqueColumnConstraint: names.unique,
    exp.Index: names.index,
    exp.Create: names.create,
    exp.With: clauses.recursive,
    exp.Insert: clauses.insert,
    exp.Update: clauses.update,
    exp.Select: clauses.select,
    exp.Returning: output.returned,
}

#: the same where statements pass as they are written
AS_WRITTEN: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Table: as_written.made_here,
    exp.Cast: as_written.cast,
    exp.Select: as_written.named_select,
    exp.Returning: output.as_written,
}
