"""Tables that a statement makes: with the columns that its rows have, in the database's words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.predict.scope import table_name
from sqlscore.relations import sink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predict.statements import Variable
    from sqlscore.products.product import Target
    from sqlscore.statements.conversation import Conversation
    from sqlscore.types import Column


def temporary(
    on: Conversation, name: str, columns: Sequence[Column], key: Sequence[Column] = ()
) -> Target:
    """A temporary table yet to be made."""
    target = sink.described((name, None), [declared(on, column) for column in columns], key)
    if not on.product.t_sql:
        target.table._prefixes = ["TEMPORARY"]
    return target


def table_variable(on: Conversation, variable: Variable) -> None:
    """DECLARE of a table: it is made anew, empty."""
    assert variable.columns is not None
    name = f"@{variable.name}"
    made = on.names.of_temporary(name)
    on.drop([made])
    schema = variable.columns.copy()
    schema.set("this", exp.table_(made, quoted=True))
    create = exp.Create(this=schema, kind="TABLE")
    if not on.product.t_sql:
        create.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    with on.transaction():
        on.execute(on.write(on.translated(create)))
    on.names.keep(name)


def into(on: Conversation, table: exp.Table, columns: Sequence[Column]) -> Target:
    """The table that SELECT … INTO makes, yet to be made; its names as the database spells them."""
    named = [replace(column, name=on.names.spelled(column.name)) for column in columns]
    if table_name(table).startswith("#"):
        return temporary(on, on.names.spelled(table_name(table)), named)
    schema = table.db if table.db.casefold() != "dbo" else ""
    columns = [declared(on, column) for column in named]
    return sink.described((on.names.spelled(table.name), schema or None), columns, ())


def declared(on: Conversation, column: Column) -> Column:
    """A column with a type in the product's words; without one where nobody knows the type."""
    if column.declared or pa.types.is_null(column.type):
        return replace(column, nullable=True)
    return replace(column, declared=on.product.declare(column.type), nullable=True)


def insert(target: Target, query: exp.Expression) -> exp.Insert:
    """INSERT of a query's rows into all columns of a table."""
    columns = [exp.to_identifier(column.name, quoted=True) for column in target.columns]
    table = exp.table_(target.table.name, db=target.table.schema, quoted=True)
    return exp.Insert(this=exp.Schema(this=table, expressions=columns), expression=query)


def select_into(on: Conversation, tree: exp.Select, text: str) -> int:
    """SELECT … INTO: a table with the columns of the rows, and the rows in it."""
    table = tree.args["into"].this
    tree.set("into", None)
    query = on.translated(tree, text)
    target = into(on, table, on.columns(on.write(query, outline=True)))
    with on.transaction(), on.plainly():
        on.make(target)
        count = on.execute(on.write(insert(target, query)))
    if table_name(table).startswith("#"):
        on.names.keep(target.table.name)
    return count
