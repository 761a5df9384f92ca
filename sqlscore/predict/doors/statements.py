"""A text of another dialect cut into its statements, each with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from sqlglot import TokenType, exp

from sqlscore.errors import StatementError
from sqlscore.predict import grammar, places
from sqlscore.predict.statements import Batch, CreateView, Query, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlglot import Dialect, Token

    Meant = Callable[[exp.Expression, str], exp.Expression]

#: what a statement may be
_READ = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Drop, exp.TruncateTable)
_BEGINS = {
    "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "TRUNCATE", "(",
}  # fmt: skip


def read(text: str, name: str, dialect: type[Dialect], meant: Meant) -> tuple[Batch, ...]:
    """The statements between semicolons, as one batch; `meant` makes T-SQL's trees of them."""
    parts = list(_parts(grammar.tokens_of(text, dialect)))
    found = (_statement(tokens, text, dialect, meant) for tokens in parts)
    statements = tuple(
        replace(one, dialect=name) if isinstance(one, CreateView) else one for one in found
    )
    return (Batch(number=1, statements=statements),) if statements else ()


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            part.append(token)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _statement(tokens: list[Token], text: str, dialect: type[Dialect], meant: Meant) -> Statement:
    first = tokens[0]
    if first.text.upper() not in _BEGINS:
        _refuse(
            f"{first.text.upper()} is not supported here: queries, INSERT, UPDATE, DELETE, MERGE, "
            "and tables and views that are created or dropped are",
            text, first,
        )  # fmt: skip
    tree = grammar.parse(tokens, text, dialect)
    line, column = places.position(text, first.start)
    try:
        tree = meant(tree, text)
    except StatementError as error:
        if error.line is not None:
            raise
        raise StatementError(str(error), line=line, column=column) from error
    written = text[first.start : tokens[-1].end + 1]
    if isinstance(tree, exp.Create):
        return _created(tree, written, text, first)
    if not isinstance(tree, _READ):
        _refuse("this statement is not supported here", text, first)
    return Query(line=line, column=column, text=written, tree=tree)


def _created(tree: exp.Create, written: str, text: str, first: Token) -> Statement:
    """CREATE VIEW as itself, CREATE TABLE … AS as SELECT … INTO, CREATE TABLE as it is."""
    line, column = places.position(text, first.start)
    kind, query, target = str(tree.args.get("kind")).upper(), tree.expression, tree.this
    if tree.args.get("exists") and query is not None:
        _refuse(
            f"CREATE {kind} IF NOT EXISTS … AS is not supported here: DROP it first", text, first
        )
    if kind == "VIEW" and isinstance(query, exp.Select | exp.SetOperation):
        named = isinstance(target, exp.Schema)
        return CreateView(
            line=line, column=column, text=written, name=target.this if named else target,
            columns=tuple(one.name for one in target.expressions) if named else (),
            query=query, body="", replace=bool(tree.args.get("replace")),
        )  # fmt: skip
    if kind != "TABLE":
        _refuse(f"CREATE {kind} is not supported here: tables and views are", text, first)
    if tree.args.get("replace"):
        _refuse("CREATE OR REPLACE TABLE is not supported here: DROP TABLE before it", text, first)
    if query is None:
        return Query(line=line, column=column, text=written, tree=tree)
    if not isinstance(query, exp.Select) or not isinstance(target, exp.Table):
        _refuse("a table is made AS SELECT …, and takes the names of its columns", text, first)
    query.set("into", exp.Into(this=target))
    return Query(line=line, column=column, text=written, tree=query)


def _refuse(message: str, text: str, at: Token) -> NoReturn:
    raise places.error_at(message, text, at.start)
