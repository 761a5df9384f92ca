"""A T-SQL statement as another database means it: names, types, operators, functions.

sqlglot writes the other dialect. What it would write with another meaning is put right before, on
the tree: `RULES` says for each kind of node what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.scope import Relation, Scope, cte_of, key_of, qualifier, table_name
from sqlscore.predict.types import arrow_type, cast_type, length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlscore.predict.scope import Key


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a translation must know of a product."""

    dialect: str
    lateral: bool  #: it has LATERAL
    declare: Callable[[pa.DataType], str]  #: its words for a column's type
    t_sql: bool = False  #: statements pass as written
    rewrite: Callable[[exp.Expr, str | None], exp.Expr | None] | None = None  #: its own rules

    @property
    def typed_division(self) -> bool:
        """Whether an integer by an integer is an integer there too."""
        return bool(Dialect.get_or_raise(self.dialect).TYPED_DIVISION)

    @property
    def folds(self) -> bool:
        """Whether names without quotes become lower case there."""
        strategy = Dialect.get_or_raise(self.dialect).normalization_strategy
        return strategy is NormalizationStrategy.LOWERCASE


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """What the rules look at."""

    scope: Scope
    relations: Mapping[Key, Relation]
    facts: Facts

    def name(self, name: str) -> exp.Identifier:
        """A name for something that is made: as the database itself would spell it, quoted."""
        return exp.to_identifier(name.lower() if self.facts.folds else name, quoted=True)


def translate(
    tree: exp.Expression, relations: Mapping[Key, Relation], facts: Facts
) -> exp.Expression:
    """The statement for another database; the given tree stays as it is."""
    held = exp.Paren(this=tree.copy())  # so that the root can be replaced like any other node
    about = Translation(scope=Scope(relations), relations=relations, facts=facts)
    about.scope.learn(held.this)
    rules = AS_WRITTEN if facts.t_sql else RULES
    for node in list(held.this.dfs())[::-1]:
        rule = rules.get(type(node))
        _replace(node, rule(node, about) if rule is not None else None)
    if facts.rewrite is not None:
        for node in list(held.this.dfs())[::-1]:
            kind = about.scope.kind(node)
            _replace(node, facts.rewrite(node, kind.value if kind else None))
    found: exp.Expression = held.this
    return found


def _replace(node: exp.Expr, changed: exp.Expr | None) -> None:
    if changed is not None and changed is not node:
        node.replace(changed)


# -- names


def _table(node: exp.Table, about: Translation) -> exp.Expr | None:
    name = table_name(node)
    if not name or cte_of(node) is not None:
        if name:
            _fold(node)
        return None
    found = about.relations.get(key_of(node))
    if not node.alias and _is_read(node):
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


def _is_read(node: exp.Table) -> bool:
    """Whether rows are read of a table under its name, which columns may stand behind."""
    return isinstance(node.parent, exp.From | exp.Join | exp.Merge | exp.Subquery)


def _fold(node: exp.Table) -> None:
    if not node.alias:
        node.set("alias", exp.TableAlias(this=_alias(node.name)))
    node.set("this", _alias(node.name))


def _alias(name: str) -> exp.Identifier:
    return exp.to_identifier(name.lower(), quoted=True)


def _table_alias(node: exp.TableAlias, about: Translation) -> None:
    if node.this is not None:
        node.set("this", _alias(node.name))
    node.set("columns", [exp.to_identifier(c.name, quoted=True) for c in node.columns])


def _column(node: exp.Column, about: Translation) -> None:
    found = about.scope.find(node)
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


def _quoted_alias(node: exp.Alias, about: Translation) -> None:
    node.set("alias", exp.to_identifier(node.alias, quoted=True))


# -- types


def _cast(node: exp.Cast, about: Translation) -> exp.Expr | None:
    target, value = node.to, node.this
    node.set("to", cast_type(target))
    whole = of_type(target) is Kind.INTEGER and about.scope.kind(value) is Kind.NUMBER
    if whole:  # T-SQL cuts the fraction off, others round it
        node.set("this", exp.Trunc(this=value))
        return None
    if of_type(target) is Kind.TEXT and length(target):
        return exp.Substring(
            this=node.copy(), start=exp.Literal.number(1),
            length=exp.Literal.number(length(target)),
        )  # fmt: skip
    return None


def _convert(node: exp.Convert, about: Translation) -> exp.Expr | None:
    if node.args.get("style") is not None or not isinstance(node.this, exp.DataType):
        return None
    cast = exp.TryCast if node.args.get("safe") else exp.Cast
    made = cast(this=node.expression, to=node.this)
    return _cast(made, about) or made


def _column_def(node: exp.ColumnDef, about: Translation) -> None:
    kind = node.kind
    if kind is not None:
        node.set("kind", _column_type(kind, about))
    node.set("this", about.name(node.name))


def _column_type(type_: exp.DataType, about: Translation) -> exp.Expr:
    """The type of a column that is made: text of a length and decimals keep their numbers."""
    if of_type(type_) is Kind.TEXT and length(type_):
        size = exp.DataTypeParam(this=exp.Literal.number(length(type_)))
        return exp.DataType(this=exp.DType.VARCHAR, expressions=[size])
    arrow = arrow_type(type_)
    if pa.types.is_decimal(arrow):
        return cast_type(type_)
    whole = pa.int16() if pa.types.is_boolean(arrow) or pa.types.is_uint8(arrow) else arrow
    return exp.Var(this=about.facts.declare(whole))


# -- operators and functions


def _div(node: exp.Div, about: Translation) -> exp.Expr | None:
    kinds = {about.scope.kind(node.this), about.scope.kind(node.expression)}
    if kinds == {Kind.INTEGER} and not about.facts.typed_division:
        return exp.Paren(this=exp.IntDiv(this=node.this, expression=node.expression))
    return None


def _add(node: exp.Add, about: Translation) -> exp.Expr | None:
    kinds = [about.scope.kind(node.this), about.scope.kind(node.expression)]
    if Kind.TEXT in kinds and all(kind in (Kind.TEXT, None) for kind in kinds):
        return exp.DPipe(this=node.this, expression=node.expression, safe=False)
    return None


def _length(node: exp.Length, about: Translation) -> None:
    node.set("this", exp.Trim(this=node.this, position="TRAILING"))


def _average(node: exp.Avg, about: Translation) -> exp.Expr | None:
    if about.scope.kind(node.this) is not Kind.INTEGER:
        return None
    return exp.cast(exp.Trunc(this=node.copy()), "bigint")


def _national(node: exp.National, about: Translation) -> exp.Expr:
    return exp.Literal.string(node.name)


def _equal(node: exp.Binary, about: Translation) -> None:
    """A bit is 0 or 1 in T-SQL; a database's own boolean is compared with true or false."""
    for one, other in (("this", "expression"), ("expression", "this")):
        value = node.args[one]
        truth = about.scope.kind(node.args[other]) is Kind.TRUTH
        if truth and isinstance(value, exp.Literal) and value.name in ("0", "1"):
            node.set(one, exp.Boolean(this=value.name == "1"))


def _days(node: exp.DateDiff, about: Translation) -> exp.Expr | None:
    """DATEDIFF counts the borders that lie between: of days, months and years."""
    unit = node.text("unit").upper()
    later, earlier = (
        part.this if isinstance(part, exp.TimeStrToTime) else part
        for part in (node.this, node.expression)
    )
    if unit == "DAY":
        dates = [exp.cast(part.copy(), "date") for part in (later, earlier)]
        return exp.DateDiff(this=dates[0], expression=dates[1], unit=exp.var("DAY"))
    if unit not in ("MONTH", "YEAR"):
        return None
    years = exp.Sub(this=exp.Year(this=later.copy()), expression=exp.Year(this=earlier.copy()))
    if unit == "YEAR":
        return exp.Paren(this=years)
    months = exp.Sub(this=exp.Month(this=later.copy()), expression=exp.Month(this=earlier.copy()))
    twelve = exp.Mul(this=exp.Literal.number(12), expression=exp.Paren(this=years))
    return exp.Paren(this=exp.Add(this=twelve, expression=months))


# -- clauses


def _limit(node: exp.Limit | exp.Fetch, about: Translation) -> exp.Expr | None:
    options = node.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        raise StatementError(
            "TOP … PERCENT and WITH TIES are not supported here: number the rows, as in "
            "ROW_NUMBER() OVER (ORDER BY …), and filter by that"
        )
    count = node.args.get("expression") or node.args.get("count")
    if count is None:
        return None
    return exp.Limit(expression=count.this if isinstance(count, exp.Paren) else count)


def _lateral(node: exp.Lateral, about: Translation) -> exp.Expr | None:
    """CROSS APPLY is a join with each row's own rows, OUTER APPLY a left one."""
    cross, join = node.args.get("cross_apply"), node.parent
    if cross is None or not isinstance(join, exp.Join):
        return None
    if not about.facts.lateral and _correlated(node, about.scope):
        raise StatementError(
            "this database has no APPLY whose rows depend on the row before it. Write it as a "
            "JOIN with ON, or as a subquery that gives one value"
        )
    join.set("kind", "INNER" if cross else None)
    join.set("side", None if cross else "LEFT")
    join.set("on", exp.Boolean(this=True))
    node.set("cross_apply", None)
    if about.facts.lateral or not isinstance(node.this, exp.Subquery):
        return None
    node.this.set("alias", node.args.get("alias"))
    inner: exp.Expr = node.this
    return inner


def _correlated(node: exp.Lateral, scope: Scope) -> bool:
    """Whether the rows of an APPLY name a relation from outside."""
    selects = list(node.this.find_all(exp.Select))
    inside = {o.alias.casefold() for select in selects for o in scope.origins(select)}
    columns = node.this.find_all(exp.Column)
    return any(column.table and column.table.casefold() not in inside for column in columns)


def _schema(node: exp.Schema, about: Translation) -> None:
    """The columns that INSERT names, in the catalogue's spelling."""
    if not isinstance(node.parent, exp.Insert) or not isinstance(node.this, exp.Table):
        return
    wanted = table_name(node.this).casefold()
    for (_, name), relation in about.relations.items():
        if name in (wanted, wanted.lstrip("#")) or relation.name.casefold() == wanted:
            spelled = {column.name.casefold(): column.name for column in relation.columns}
            for one in node.expressions:
                named = spelled.get(one.name.casefold(), one.name)
                one.replace(exp.to_identifier(named, quoted=True))
            return


def _insert(node: exp.Insert, about: Translation) -> None:
    """CTEs behind INSERT, where every database takes them."""
    clause, select = node.args.get("with_"), node.expression
    if clause is not None and isinstance(select, exp.Select):
        node.set("with_", None)
        select.set("with_", clause)


def _update(node: exp.Update, about: Translation) -> None:
    for change in node.expressions:
        if isinstance(change, exp.EQ) and isinstance(change.this, exp.Column):
            change.this.set("table", None)


def _select(node: exp.Select, about: Translation) -> None:
    node.set("options", None)
    if node.args.get("for_"):
        raise StatementError("FOR XML and FOR JSON are not supported here: select columns")


def _refuse_output(node: exp.Returning, about: Translation) -> None:
    raise StatementError("OUTPUT is not supported here: SELECT the rows in another statement")


#: node -> what becomes of it; None: it was changed in place, or stays
RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Table: _table,
    exp.TableAlias: _table_alias,
    exp.Column: _column,
    exp.Alias: _quoted_alias,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Convert: _convert,
    exp.ColumnDef: _column_def,
    exp.Div: _div,
    exp.Add: _add,
    exp.Length: _length,
    exp.Avg: _average,
    exp.National: _national,
    exp.EQ: _equal,
    exp.NEQ: _equal,
    exp.DateDiff: _days,
    exp.Limit: _limit,
    exp.Fetch: _limit,
    exp.Lateral: _lateral,
    exp.Schema: _schema,
    exp.Insert: _insert,
    exp.Update: _update,
    exp.Select: _select,
    exp.Returning: _refuse_output,
}


# -- where statements pass as written


def _made_here(node: exp.Table, about: Translation) -> None:
    """A table of ours in a table variable's place, and the schema that a table was found in."""
    found = about.relations.get(key_of(node))
    if found is None or cte_of(node) is not None:
        return
    if not node.alias and _is_read(node) and found.name.startswith("#"):
        node.set("alias", exp.TableAlias(this=exp.to_identifier(table_name(node), quoted=True)))
    node.set("this", exp.to_identifier(found.name, quoted=True))
    node.set("db", exp.to_identifier(found.schema, quoted=True) if found.schema else None)
    node.set("catalog", None)


def _named_select(node: exp.Select, about: Translation) -> None:
    """A query that is read has a name for each column: it becomes a part of another."""
    _select(node, about)
    if isinstance(node.parent, exp.Paren) and node.parent.parent is None:
        node.set("expressions", [_with_name(one, n) for n, one in enumerate(node.expressions, 1)])


def _with_name(one: exp.Expr, number: int) -> exp.Expr:
    named = one.is_star or (one.alias_or_name and isinstance(one, exp.Alias | exp.Column))
    return one if named else exp.alias_(one, f"column{number}", quoted=True)


AS_WRITTEN: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Table: _made_here,
    exp.Select: _named_select,
    exp.Returning: _refuse_output,
}
