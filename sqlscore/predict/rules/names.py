"""Names in the catalogue's spelling: of tables, columns and what a statement names itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.ctes import cte_of
from sqlscore.predict.misnamed import NoColumn, check, closest
from sqlscore.predict.scope import key_of, qualifier, table_name

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation
    from sqlscore.types import Column


def table(node: exp.Table, about: Translation) -> exp.Expr | None:
    """The table under the catalogue's name, and under an alias that the columns name."""
    name = table_name(node)
    if not name or cte_of(node) is not None:
        if name:
            _fold(node)
        return None
    found = about.relations.get(key_of(node))
    if not node.alias and is_read(node):
        node.set("alias", exp.TableAlias(this=_alias(name)))
    made = about.name(name) if found is None else exp.to_identifier(found.name, quoted=True)
    schema = found.schema if found is not None else node.db
    if found is None and node.db.casefold() == "dbo":
        schema = None
    node.set("this", made)
    node.set("db", exp.to_identifier(schema, quoted=True) if schema else None)
    node.set("catalog", None)
    node.set("hints", None)
    return None


def is_read(node: exp.Table) -> bool:
    """Whether rows are read of a table under its name, which columns may stand behind."""
    return isinstance(node.parent, exp.From | exp.Join | exp.Merge | exp.Subquery)


def _fold(node: exp.Table) -> None:
    if not node.alias:
        node.set("alias", exp.TableAlias(this=_alias(node.name)))
    node.set("this", _alias(node.name))


def _alias(name: str) -> exp.Identifier:
    return exp.to_identifier(name.lower(), quoted=True)


def table_alias(node: exp.TableAlias, about: Translation) -> None:
    """An alias as every database takes it: lower case and quoted."""
    if node.this is not None:
        node.set("this", _alias(node.name))
    node.set("columns", [exp.to_identifier(c.name, quoted=True) for c in node.columns])


def column(node: exp.Column, about: Translation) -> None:
    """The column in the catalogue's spelling, of the relation that it names."""
    found = about.scope.find(node)
    if found is None:
        check(node, about.scope)
    name = found.name if found is not None else _output(node)
    if name is not None and not isinstance(node.this, exp.Star):
        node.set("this", exp.to_identifier(name, quoted=True))
    if node.table:
        node.set("table", _alias(qualifier(node)))
    node.set("db", None)
    node.set("catalog", None)


def _output(node: exp.Column) -> str | None:
    """The alias in the same SELECT that ORDER BY names; None where there is none."""
    select = node.find_ancestor(exp.Select)
    if node.table or select is None or node.find_ancestor(exp.Ordered) is None:
        return None
    names = [one.alias for one in select.selects if one.alias]
    return next((name for name in names if name.casefold() == node.name.casefold()), None)


def quoted_alias(node: exp.Alias, about: Translation) -> None:
    """The name of an output, as it is written."""
    node.set("alias", exp.to_identifier(node.alias, quoted=True))


def primary_key(node: exp.PrimaryKey, about: Translation) -> None:
    """The columns of a key, as those that are made are spelled."""
    node.set("expressions", [about.name(_named(one)) for one in node.expressions])


def unique(node: exp.UniqueColumnConstraint, about: Translation) -> None:
    """UNIQUE [CLUSTERED] (a, b): how rows are laid down is SQL Server's own."""
    listed = node.this
    if isinstance(listed, exp.ClusteredColumnConstraint | exp.NonClusteredColumnConstraint):
        listed = exp.Schema(expressions=list(listed.this or []))
    if isinstance(listed, exp.Schema):
        names = [about.name(_named(one)) for one in listed.expressions]
        node.set("this", exp.Schema(expressions=names))


def index(node: exp.Index, about: Translation) -> None:
    """An index of columns; which others it holds beside them, and in which order, is left out."""
    table = node.args.get("table")
    params = node.args.get("params")
    if table is None or params is None:
        return
    spelled = spelling(table_name(table), about)
    columns = [_named(one) for one in params.args.get("columns") or []]
    params.set("include", None)
    params.set(
        "columns",
        [exp.to_identifier(spelled.get(n.casefold(), n), quoted=True) for n in columns],
    )


def create(node: exp.Create, about: Translation) -> None:
    """CREATE CLUSTERED INDEX is an index like any other."""
    if str(node.args.get("kind")).endswith(" INDEX"):
        node.set("kind", "INDEX")
    node.set("clustered", None)


def _named(one: exp.Expr) -> str:
    return one.this.name if isinstance(one, exp.Ordered) else one.name


def spelling(table: str, about: Translation) -> dict[str, str]:
    """The columns of a table that is known, by their folded names, as the catalogue has them."""
    return {column.name.casefold(): column.name for column in columns_of(table, about)}


def columns_of(table: str, about: Translation) -> tuple[Column, ...]:
    """The columns of a table that a statement writes; none where nobody knows it."""
    wanted = table.casefold()
    for (_, name), relation in about.relations.items():
        if name in (wanted, wanted.lstrip("#")) or relation.name.casefold() == wanted:
            return relation.columns
    return ()


def schema(node: exp.Schema, about: Translation) -> None:
    """The columns that INSERT names, in the catalogue's spelling."""
    if not isinstance(node.parent, exp.Insert) or not isinstance(node.this, exp.Table):
        return
    spelled = spelling(table_name(node.this), about)
    for one in node.expressions:
        if spelled and one.name.casefold() not in spelled:
            near = closest(one.name, list(spelled.values()))
            raise NoColumn(f"{table_name(node.this)!r} has no column {one.name!r}.{near}", one)
        one.replace(exp.to_identifier(spelled.get(one.name.casefold(), one.name), quoted=True))
