"""Where statements pass as they are written, on SQL Server: what must be put right all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.ctes import cte_of
from sqlscore.predict.kinds import Kind
from sqlscore.predict.rules import clauses
from sqlscore.predict.rules.casts import ROUNDS, away
from sqlscore.predict.rules.names import is_read
from sqlscore.predict.scope import key_of, table_name

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation


def made_here(node: exp.Table, about: Translation) -> None:
    """A table of ours in a table variable's place, and the schema that a table was found in."""
    found = about.relations.get(key_of(node))
    if found is None or cte_of(node) is not None:
        return
    if not node.alias and is_read(node) and found.name.startswith("#"):
        node.set("alias", exp.TableAlias(this=exp.to_identifier(table_name(node), quoted=True)))
    node.set("this", exp.to_identifier(found.name, quoted=True))
    node.set("db", exp.to_identifier(found.schema, quoted=True) if found.schema else None)
    node.set("catalog", None)


def named_select(node: exp.Select, about: Translation) -> None:
    """A query that is read has a name for each column: it becomes a part of another."""
    clauses.select(node, about)
    if isinstance(node.parent, exp.Paren) and node.parent.parent is None:
        node.set("expressions", [_with_name(one, n) for n, one in enumerate(node.expressions, 1)])


def _with_name(one: exp.Expr, number: int) -> exp.Expr:
    named = one.is_star or (one.alias_or_name and isinstance(one, exp.Alias | exp.Column))
    return one if named else exp.alias_(one, f"column{number}", quoted=True)


def cast(node: exp.Cast, about: Translation) -> None:
    """A cast to an integer cuts the fraction off, unless another dialect's was meant."""
    if node.meta.get(ROUNDS) and about.scope.kind(node.this) is Kind.NUMBER:
        node.set("this", away(node.this))
