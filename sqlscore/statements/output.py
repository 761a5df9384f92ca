"""OUTPUT: the rows that a statement wrote, given back, or put into a table, or both.

The database gives them by RETURNING; those for a table pass through here on their way, in the
statement's own transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from sqlscore.predict.scope import table_name
from sqlscore.relations.selects import textual
from sqlscore.statements import before, made, merging, reading, writing
from sqlscore.statements.results import held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.results import Result


def run(on: Conversation, tree: exp.Expression, text: str) -> Result | int:
    """Run a statement with OUTPUT: its rows for the caller, else how many it wrote."""
    returning = tree.args["returning"]
    into, also = returning.args.get("into"), returning.args.get("also") or []
    if on.product.t_sql:
        return _as_written(on, tree, text)
    listed = [one for given in returning.expressions for one in _named(on, given, tree, text)]
    more = [one for given in also for one in _named(on, given, tree, text)]
    reading.refuse_twice([one.alias_or_name for one in (listed if into is None else more)])
    tree.set("returning", exp.Returning(expressions=[*listed, *more]))
    with on.as_one(), on.plainly():
        rows = _merged(on, tree, text) if isinstance(tree, exp.Merge) else _rows(on, tree, text)
        if into is None:
            return held(rows)
        writing.insert(on, into, rows.select(range(len(listed))), text)
    return held(rows.select(range(len(listed), rows.num_columns))) if more else rows.num_rows


def _as_written(on: Conversation, tree: exp.Expression, text: str) -> Result | int:
    returning = tree.args["returning"]
    if returning.args.get("into") is None or returning.args.get("also"):
        return held(_rows(on, tree, text))
    with on.transaction(), on.plainly():
        return on.execute(on.write(on.translated(tree, text)))


def _rows(on: Conversation, tree: exp.Expression, text: str) -> pa.Table:
    """Run a statement that writes and gives rows; the rows, in the types that they come in."""
    if not on.product.t_sql and before.needed(on, tree):
        assert isinstance(tree, exp.Update)
        tree = before.update(on, tree, text)
    sql = on.write(on.translated(tree, text))
    with on.transaction(), on.told("running the statement"):
        result = on.connection.execute(textual(sql))
        names = list(result.keys())
        parts = [_table(names, rows) for rows in result.partitions(_AT_ONCE)]
        result.close()
    rows = pa.concat_tables(parts or [_table(names, ())], promote_options="permissive")
    return rows.rename_columns(names)


_AT_ONCE = 16_384  #: rows taken from the driver


def _table(names: Sequence[str], rows: Sequence[Any]) -> pa.Table:
    columns = [pa.array([row[i] for row in rows]) for i in range(len(names))]
    return pa.Table.from_arrays(columns, names=_numbered(names))


def _numbered(names: Sequence[str]) -> list[str]:
    """Names for columns whose own may be the same."""
    return [f"c{i}" for i in range(len(names))]


def _merged(on: Conversation, tree: exp.Merge, text: str) -> pa.Table:
    """The rows of all statements that a MERGE is."""
    found: list[pa.Table] = []
    for part in merging.parts(on, tree, text):
        if isinstance(part, exp.Select):
            made.select_into(on, part, text)
        else:
            found.append(_rows(on, part, text))
    names = found[0].column_names
    alike = [rows.rename_columns(_numbered(names)) for rows in found]
    return pa.concat_tables(alike, promote_options="permissive").rename_columns(names)


def _named(on: Conversation, given: exp.Expr, tree: exp.Expression, text: str) -> list[exp.Expr]:
    """What OUTPUT lists, with the columns that a star means."""
    if not (isinstance(given, exp.Column) and given.is_star):
        return [given]
    columns = writing.relation_of(on, _target(tree), text).columns
    return [exp.column(exp.to_identifier(one.name, quoted=True), given.table) for one in columns]


def _target(tree: exp.Expression) -> exp.Table:
    """The table that a statement writes; UPDATE and DELETE may name it by its alias."""
    named = next(iter(tree.args.get("tables") or [tree.this]))
    table: exp.Table = named.this if isinstance(named, exp.Schema) else named
    wanted = table_name(table).casefold()
    aliased = (one for one in tree.find_all(exp.Table) if one.alias.casefold() == wanted)
    return next(aliased, table)
