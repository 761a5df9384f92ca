"""One connection and what a script leaves on it: temporary tables, an open transaction.

All statements of a script run here, one at a time. Each commits by itself, as in T-SQL, unless the
connection is the caller's and in a transaction already: then the last word is the caller's.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from sqlscore.errors import DatabaseError, StatementError, nearest
from sqlscore.predict import writes
from sqlscore.predict.grammar import PredictTSQL
from sqlscore.predict.misnamed import NoColumn
from sqlscore.predict.rules.translation import Facts
from sqlscore.predict.scope import Key, Relation, key_of, table_name, tables
from sqlscore.predict.translate import translate
from sqlscore.relations.catalogue import find_table, no_table
from sqlscore.relations.selects import textual
from sqlscore.statements.derived import Derivations
from sqlscore.statements.missing import may_be_missing
from sqlscore.statements.names import Names
from sqlscore.statements.places import place_of
from sqlscore.statements.steps import Steps
from sqlscore.statements.transactions import Transactions
from sqlscore.transports.dbapi import driver_errors
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sqlscore.products.product import Product, Target
    from sqlscore.types import Column


class Conversation:
    """A connection that statements run on."""

    def __init__(
        self, engine: sa.Engine, product: Product, connection: sa.Connection | None = None
    ) -> None:
        """`connection` is the caller's, in a transaction; without, one is opened and closed."""
        self.engine, self.product = engine, product
        self.facts = Facts(
            dialect=product.dialect, lateral=product.lateral, declare=product.declare,
            t_sql=product.t_sql, rewrite=product.rewrite, returning=product.returning,
            dates_are_text=product.loose_types, like_escapes=product.like_escapes,
            text_tests=product.text_tests,
        )  # fmt: skip
        with translated("connecting", url=engine.url):
            self.connection = engine.connect() if connection is None else connection
        self._dialect = PredictTSQL if product.t_sql else product.dialect
        self.names = Names(marked=product.t_sql, folded=self.facts.folds)
        self.transactions = Transactions(
            self.connection, product, self.names, self.told, joined=connection is not None
        )
        self.derived = Derivations()
        self._looked_up: dict[Key, Relation] = {}  #: since the statement began
        self.steps = Steps()

    # -- names

    def begin(self) -> None:
        """A statement begins: what the catalogue says is asked anew."""
        self._looked_up.clear()

    def relations(self, tree: exp.Expression, text: str = "") -> dict[Key, Relation]:
        """What the database knows of the tables that a statement names.

        A table that is not there is left out where the statement makes it, else it is a
        `StatementError` that names the nearest ones.
        """
        missing = may_be_missing(tree)
        found: dict[Key, Relation] = {}
        for table in tables(tree):
            key = key_of(table)
            if key in found:
                continue
            relation = self._relation(table)
            if relation is not None:
                found[key] = relation
            elif not any(table is other for other in missing):
                raise self._no_table(table, text)
        return found

    def has(self, table: exp.Table) -> bool:
        """Whether there is a table or view of that name."""
        return self._relation(table) is not None

    def _relation(self, table: exp.Table) -> Relation | None:
        name = table_name(table)
        if name in self.derived:
            return self.derived.relation(name)
        temporary = self.names.find(name)
        if temporary is not None:
            everything = exp.select("*").from_(exp.to_identifier(temporary, quoted=True))
            return Relation(
                schema=None, name=temporary, columns=self.columns(self.write(everything))
            )
        if name.startswith(("#", "@")):
            return None
        key = key_of(table)
        if key not in self._looked_up:
            there = self._found(table, name)
            if there is None:
                return None
            self._looked_up[key] = there
        return self._looked_up[key]

    def _found(self, table: exp.Table, name: str) -> Relation | None:
        """What the catalogue says of a table; None where there is none of that name."""
        for schema in dict.fromkeys((table.db, "" if table.db.casefold() == "dbo" else table.db)):
            written = exp.table_(name, db=schema or None, quoted=True)
            with self.told("looking for a table"):
                there = find_table(self.connection, self.product, written.sql(self.product.dialect))
                if there is not None:
                    columns = self.product.describe(self.connection, there)
                    return Relation(schema=there.schema, name=there.name, columns=columns)
        return None

    def _no_table(self, table: exp.Table, text: str) -> StatementError:
        name = table_name(table)
        if name.startswith(("#", "@")):
            known = self.names.kept()
            message = (
                f"there is no {_KINDS[name[0]]} {name!r} in this script.{nearest(name, known)}"
            )
        elif table.db.casefold() == "sys":
            message = (
                f"{table.db}.{name} is SQL Server's own catalogue: ask IF OBJECT_ID('name') IS NOT "
                "NULL, or write DROP TABLE IF EXISTS"
            )
        else:
            message = no_table(self.connection, f"{table.db}.{name}" if table.db else name)
        return StatementError(message, **place_of(table, text))

    # -- running

    def write(self, tree: exp.Expression, *, outline: bool = False) -> str:
        """A tree that is in the database's own words already, as text.

        With `outline` it gives columns of the same names and types, and may give other values: for
        databases that take long to plan a large model.
        """
        try:
            text = tree.sql(dialect=self._dialect, unsupported_level=ErrorLevel.RAISE)
        except UnsupportedError as error:
            raise StatementError(f"{self.product.name} cannot do that: {error}") from error
        text = self.derived.put_into(text, self._dialect, outline=outline)
        return f"{text};" if self.product.t_sql and isinstance(tree, exp.Merge) else text

    def translated(self, tree: exp.Expression, text: str = "") -> exp.Expression:
        """A T-SQL tree in the database's own words."""
        if not self.product.t_sql:
            tree = writes.plain(tree.copy(), inline=not self.product.with_writes)
        try:
            return translate(tree, self.relations(tree, text), self.facts)
        except NoColumn as error:
            raise StatementError(str(error), **place_of(error.node, text)) from error

    def derive(
        self, query: str, columns: Sequence[Column], outline: str | None, *, chance: bool
    ) -> str:
        """Give a query in the database's own words a name, by which statements can read it."""
        name = self.names.fresh("derived")
        self.derived.add(name, query, columns, outline, chance=chance)
        return name

    def plainly(self) -> AbstractContextManager[object]:
        """What runs inside is not compiled to machine code, if there is a model in it."""
        return self.product.plainly(self.connection) if self.derived else nullcontext()

    def execute(self, sql: str) -> int:
        """Run a statement; how many rows it wrote, -1 where the database does not say."""
        with self.told("running the statement"):
            result = self.connection.execute(textual(sql))
            count = getattr(result, "rowcount", -1)
            result.close()
        return count if count is not None else -1

    def make(self, target: Target) -> None:
        """Make a table."""
        with self.told(f"making the table {target.table.name}"):
            self.connection.execute(sa.schema.CreateTable(target.table))

    def rows(self, sql: str, most: int | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query, or the first of them."""
        with self.told("running the query"):
            result = self.connection.execute(textual(sql))
            found = result.fetchall() if most is None else result.fetchmany(most)
            result.close()
        return [tuple(row) for row in found]

    def columns(self, sql: str) -> tuple[Column, ...]:
        """The columns that a query gives."""
        relation = textual(sql).columns().subquery("query")
        with self.told("describing the query"), self.plainly():
            return self.product.describe(self.connection, relation)

    def estimate(self, sql: str) -> int | None:
        """How many rows a query gives, about; None where the database does not say."""
        with self.told("estimating rows"):
            return self.product.estimate(self.connection, textual(sql))

    def told(self, doing: str) -> AbstractContextManager[None]:
        """Errors of the driver as `DatabaseError`."""
        return translated(doing, *driver_errors(self.engine), url=self.engine.url)

    def transaction(self) -> AbstractContextManager[None]:
        """What runs inside commits as one; in a transaction that is open nothing commits here."""
        return self.transactions.one()

    def as_one(self) -> AbstractContextManager[None]:
        """Several transactions inside commit as one."""
        return self.transactions.whole()

    def close(self) -> None:
        """Drop the temporary tables and give the connection back, unless it is the caller's."""
        if not self.transactions.joined:
            self.transactions.leave()
            with suppress(sa.exc.SQLAlchemyError, DatabaseError):
                self.drop(self.names.kept())
            self.connection.close()

    def close_for_good(self) -> None:
        """Drop the temporary tables before the caller's commit: its connection may be a pool's."""
        if self.transactions.failed:
            raise DatabaseError(
                "this transaction cannot be committed: a script in it caught an error"
            )
        self.drop(self.names.kept())

    def drop(self, names: Sequence[str]) -> None:
        """Drop temporary tables of this conversation."""
        with self.transaction():
            for name in names:
                drop = exp.Drop(
                    tables=[exp.table_(name, quoted=True)], kind="TABLE", exists=True,
                    temporary=self.product.drops_temporary,
                )  # fmt: skip
                self.execute(self.write(drop))
                self.names.forget(name)


_KINDS = {"#": "temporary table", "@": "table variable"}
