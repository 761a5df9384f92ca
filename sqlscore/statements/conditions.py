"""Conditions on DATA's columns alone hold before a row is scored as they do behind: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.scope import conjuncts, data_alias, qualifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from sqlscore.predict.tree import Predict

#: what reads more than the row, or may be another value the next time
_NOT_OF_THE_ROW = (exp.Query, exp.Rand, exp.Uuid, exp.Anonymous, exp.Window, exp.AggFunc)


def move(predict: Predict, columns: Set[str], predictions: Set[str]) -> None:
    """Move those of the SELECT around a PREDICT to DATA; the others stay where they are.

    `columns` are DATA's and `predictions` what PREDICT gives, folded. Nothing moves where a join
    would make rows without DATA's.
    """
    select = predict.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if select is None or where is None:
        return
    joins = list(_joins(select))
    if not _reads(select, joins, predict) or any(join.side in ("RIGHT", "FULL") for join in joins):
        return
    alone = not joins and not select.args.get("laterals")
    unnamed = columns - predictions if alone else frozenset[str]()
    moved: list[exp.Expr] = []
    stay: list[exp.Expr] = []
    for part in conjuncts(where.this):
        whole = _is_of(part, data_alias(predict).casefold(), columns, unnamed)
        (moved if whole else stay).append(part)
    if moved:
        predict.set("where", exp.and_(*moved))
        select.set("where", exp.Where(this=exp.and_(*stay)) if stay else None)


def _joins(select: exp.Select) -> Iterator[exp.Join]:
    start = select.args.get("from_")
    yield from (start.this.args.get("joins") or []) if start is not None else []
    yield from select.args.get("joins") or []


def _reads(select: exp.Select, joins: list[exp.Join], predict: Predict) -> bool:
    """Whether the rows of a PREDICT stand in FROM itself, or in a join that is no outer one."""
    start = select.args.get("from_")
    if start is not None and start.this is predict:
        return True
    return any(join.this is predict and not join.side for join in joins)


def _is_of(part: exp.Expr, alias: str, columns: Set[str], unnamed: Set[str]) -> bool:
    if part.find(*_NOT_OF_THE_ROW):
        return False
    named = list(part.find_all(exp.Column))
    return bool(named) and all(
        column.name.casefold() in (columns if column.table else unnamed)
        and qualifier(column) in ("", alias)
        for column in named
    )
