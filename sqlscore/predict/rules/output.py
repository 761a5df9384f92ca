"""OUTPUT: the rows that a statement wrote, by RETURNING where the database has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.scope import qualifier, table_name

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation

_NEW, _OLD = "inserted", "deleted"
#: statement -> its word, and whose columns it can give back
_GIVE: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Insert: ("insert", _NEW),
    exp.Update: ("update", _NEW),
    exp.Delete: ("delete", _OLD),
}


def returned(node: exp.Returning, about: Translation) -> None:
    """The columns of the rows as they are (or, deleted, were), without inserted. or deleted."""
    assert node.parent is not None
    word, gives = _GIVE.get(type(node.parent), ("merge", ""))
    if word not in about.facts.returning:
        raise StatementError(
            f"OUTPUT of {word.upper()} is not supported here: SELECT the rows in another statement"
        )
    for column in list(node.find_all(exp.Column)):
        relation = qualifier(column)
        if relation in (_NEW, _OLD) and relation != gives:
            raise StatementError(
                f"OUTPUT {relation}.… of {word.upper()} is not supported here: only {gives}.… is"
            )
        if relation == gives:
            column.set("table", _qualified(node.parent))
            if not column.is_star:
                name = _spelled(column.name, node.parent, about)
                column.set("this", exp.to_identifier(name, quoted=True))
    node.set("expressions", [_plain(one) for one in node.expressions])


def as_written(node: exp.Returning, about: Translation) -> None:
    """DELETE FROM t OUTPUT … names its table first."""
    delete = node.parent
    if isinstance(delete, exp.Delete) and not delete.args.get("tables"):
        named = delete.this.copy()
        named.set("alias", None)
        delete.set("tables", [named])


def _qualified(statement: exp.Expr) -> exp.Identifier | None:
    """What the columns of the table that is written are told from the others' by."""
    if not statement.args.get("from_"):
        return None
    name = statement.this.alias or statement.this.name
    return exp.to_identifier(name, quoted=True) if name else None


def _plain(one: exp.Expr) -> exp.Expr:
    """``inserted.*`` is every column."""
    return exp.Star() if isinstance(one, exp.Column) and one.is_star else one


def _spelled(name: str, statement: exp.Expr, about: Translation) -> str:
    """The column of the table that is written, as the catalogue spells it."""
    target = statement.this
    table = target.this if isinstance(target, exp.Schema) else target
    wanted = table_name(table).casefold() if isinstance(table, exp.Table) else ""
    for relation in about.relations.values():
        if relation.name.casefold() == wanted:
            spelled = {column.name.casefold(): column.name for column in relation.columns}
            return spelled.get(name.casefold(), name)
    return name
