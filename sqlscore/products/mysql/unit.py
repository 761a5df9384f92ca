"""One transaction that writes to MySQL or MariaDB, by multi-row literals.

Every warning about a row is an error here: they tell of values that were cut, rounded or replaced,
which the session's settings may allow. DDL would commit what was written, so it is refused once
something was.
"""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Self, cast

import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sqlscore.errors import DatabaseError
from sqlscore.products.dbapi_unit import DbapiUnit
from sqlscore.products.mysql.catalogue import LITERALLY, EmptyCopy, qualified, quoted
from sqlscore.products.mysql.types import carried, fraction
from sqlscore.products.product import Write
from sqlscore.transports.constants import apart, together
from sqlscore.transports.failures import without_contents
from sqlscore.transports.literals import literals, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import pyarrow as pa
    from sqlalchemy import Engine, Executable

    from sqlscore.products.product import Target, Unit
    from sqlscore.types import Column

#: first words of statements that commit what was done before them, unless TEMPORARY follows
_COMMITTING = re.compile(
    r"(?:\s|/\*(?!!).*?\*/|--\s[^\n]*\n|#[^\n]*\n)*(CREATE|ALTER|DROP|RENAME|TRUNCATE|GRANT|REVOKE|ANALYZE|OPTIMIZE|REPAIR|LOCK|FLUSH"
    r"|BEGIN|START|COMMIT|SET\s+(PASSWORD|(SESSION\s+)?autocommit))\b(?!\s+TEMPORARY)",
    re.IGNORECASE | re.DOTALL,
)
#: what changes no row: a variable of the session
_SETTING = re.compile(r"\s*SET\s+SESSION\b", re.IGNORECASE)
#: warnings that say nothing of any value: VALUES() is to be retired, a table was (not) there
_HARMLESS = frozenset({1287, 1681, 1050, 1051, 1592})
_LONGEST = 4 << 20  # of one statement: longer ones gain nothing, and both sides hold them whole


class LiteralUnit(DbapiUnit):
    """`products.product.Unit` for MySQL and MariaDB, over any driver of theirs."""

    def __enter__(self) -> Self:
        self._wrote = False
        self._keys: dict[str, bool] = {}
        self._room: int | None = None
        return super().__enter__()

    def execute(self, statement: Executable) -> None:
        """Run one statement; after anything was written no DDL, which would commit that."""
        text = _text_of(statement, self.engine)
        commits = _COMMITTING.match(text)
        if commits and self._wrote:
            raise DatabaseError(
                f"{commits[1].upper()} would commit the rows that this unit has written so far. "
                "Commit them first, or run it in a unit of its own"
            )
        super().execute(statement)
        self._wrote = self._wrote or not (commits or _SETTING.match(text))

    def _column_type(self, column: Column, given: pa.DataType) -> pa.DataType:
        return carried(column)

    def _fitted(self, target: Target, batch: pa.RecordBatch) -> pa.RecordBatch:
        parts = [super(LiteralUnit, self)._fitted(target, part) for part in apart(batch)]
        for part in parts:
            _refuse_cut_times(target, part)
        return together(*parts)

    def _write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> None:
        self._wrote = True
        if how is Write.INSERT or (how is Write.UPSERT and self._only_key(target)):
            tail = (
                self._on_duplicate(target, batches[0].schema.names) if how is Write.UPSERT else ""
            )
            self._insert(qualified(target.table), batches, tail)
        else:
            names = batches[0].schema.names
            self._by_staging(target, names, how, lambda name: self._insert(name, batches, ""))

    def fill(self, target: Target, names: Sequence[str], query: sa.Select[Any], how: Write) -> None:
        """Write a query's rows, whose columns are in the names' order."""
        self._wrote = True
        with self.translated(f"writing to table {target.table.fullname}"):
            if how is Write.INSERT or (how is Write.UPSERT and self._only_key(target)):
                self._check(_from(target.table, names, query, target.key, how))
            else:
                self._by_staging(
                    target, names, how,
                    lambda name: self._check(_from(sa.table(name), names, query, (), Write.INSERT)),
                )  # fmt: skip

    def _insert(self, name: str, batches: Sequence[pa.RecordBatch], tail: str) -> None:
        columns = ", ".join(quoted(n) for n in batches[0].schema.names)
        head = f"INSERT INTO {name} ({columns}) VALUES"
        with closing(_ahead(_inserts(head, batches, tail, self._most_bytes()))) as prepared:
            for text in prepared:
                self._write_out(text)

    def _on_duplicate(self, target: Target, names: Sequence[str]) -> str:
        # With nothing to change, the key is set to itself: the row stays as it is.
        changed = [n for n in names if n not in target.key]
        sets = [f"{c} = VALUES({c})" for c in map(quoted, changed)]
        kept = [f"{c} = {c}" for c in map(quoted, target.key[:1])]
        return f" ON DUPLICATE KEY UPDATE {', '.join(sets or kept)}"

    def _by_staging(
        self, target: Target, names: Sequence[str], how: Write, insert: Callable[[str], None]
    ) -> None:
        """Through a temporary table: for updates, and where another key than ours may collide."""
        columns: list[sa.ColumnClause[Any]] = [sa.column(n) for n in names]
        table = sa.table(target.table.name, *columns, schema=target.table.schema)
        name = f"sqlscore_{secrets.token_hex(8)}"
        staged = sa.table(name, *(sa.column(n) for n in names))
        same = sa.and_(*(table.c[k] == staged.c[k] for k in target.key))
        changed = {table.c[n]: staged.c[n] for n in names if n not in target.key}
        self._check(EmptyCopy(name, sa.select(*table.c)))
        try:
            insert(name)
            if changed:
                self._check(sa.update(table).where(same).values(changed))
            if how is Write.UPSERT:
                lacking = sa.select(*staged.c).select_from(sa.outerjoin(staged, table, same))
                lacking = lacking.where(table.c[target.key[0]].is_(None))
                self._check(sa.insert(table).from_select(list(names), lacking))
        finally:  # no rollback takes it away, and the pool would hand it on with the session
            with suppress(sa.exc.SQLAlchemyError):
                self._check(sa.text(f"DROP TEMPORARY TABLE {name}"))

    def _only_key(self, target: Target) -> bool:
        """Whether ON DUPLICATE KEY can only mean the target's key: it is the only unique index."""
        name = qualified(target.table)
        if name not in self._keys:
            found: dict[str, set[str | None]] = {}
            for row in self._rows(f"SHOW INDEX FROM {name} WHERE Non_unique = 0"):
                found.setdefault(row.Key_name, set()).add(row.Column_name)
            self._keys[name] = list(found.values()) == [set(target.key)]
        return self._keys[name]

    def _most_bytes(self) -> int:
        if self._room is None:
            ((packet,),) = self._rows("SELECT @@max_allowed_packet")
            self._room = min(int(packet), _LONGEST)
        return self._room

    def _write_out(self, statement: str) -> None:
        """Run a statement full of rows, past SQLAlchemy, whose errors would quote all of them."""
        cursor = self.connection.connection.cursor()
        try:
            cursor.execute(statement)
        finally:
            cursor.close()
        self._refuse_warnings()

    def _check(self, statement: Executable) -> None:
        self.connection.execute(statement).close()
        self._refuse_warnings()

    def _refuse_warnings(self) -> None:
        told = [row for row in self._rows("SHOW WARNINGS") if row.Code not in _HARMLESS]
        if told:
            failure = DatabaseError(
                f"a value would not be stored as it is ({told[0].Code}): "
                f"{without_contents(told[0].Message)}. "
                "Give its column a type that holds it; nothing of this unit is kept"
            )
            failure.code = str(told[0].Code)
            raise failure

    def _rows(self, statement: str) -> list[sa.Row[Any]]:
        return list(self.connection.exec_driver_sql(statement, execution_options=LITERALLY))


def fill(
    unit: Unit, target: Target, names: Sequence[str], query: sa.Select[Any], how: Write
) -> None:
    """`products.product.Product.fill`."""
    assert isinstance(unit, LiteralUnit)
    unit.fill(target, names, query, how)


def _from(
    into: sa.TableClause,
    names: Sequence[str],
    query: sa.Select[Any],
    key: Sequence[str],
    how: Write,
) -> sa.Insert:
    """INSERT of a query's rows; with nothing to change, the key is set to itself."""
    table = sa.table(into.name, *map(sa.column, names), schema=into.schema)
    insert = mysql.insert(table).from_select(list(names), query)
    if how is Write.INSERT:
        return insert
    changed = {n: insert.inserted[n] for n in names if n not in key}
    return insert.on_duplicate_key_update(changed or {n: table.c[n] for n in key[:1]})


def _inserts(head: str, batches: Sequence[pa.RecordBatch], tail: str, room: int) -> Iterator[str]:
    """Statements that insert the rows; what all rows of a batch have is a variable's value."""
    for batch in batches:
        varying, alike = apart(batch)
        variables = [f"@sqlscore_{i}" for i in range(alike.num_columns)]
        if variables:
            pairs = zip(variables, literals(alike), strict=True)
            yield "SET " + ", ".join(f"{name} = {value}" for name, value in pairs)
        end = "".join(f",{name}" for name in variables)
        yield from statements(head, varying, tail, most_bytes=room, end=end)


def _ahead(texts: Iterator[str]) -> Generator[str]:
    """The texts, each made in another thread while the server works on the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="sqlscore-literals") as maker:
        coming = maker.submit(next, texts, None)
        while (text := coming.result()) is not None:
            coming = maker.submit(next, texts, None)
            yield text


def _text_of(statement: Executable, engine: Engine) -> str:
    return str(cast("sa.ClauseElement", statement).compile(engine))


def _refuse_cut_times(target: Target, batch: pa.RecordBatch) -> None:
    """The server cuts fractions of a second that a column has no room for, without a word."""
    for column in target.columns:
        digits = fraction(column)
        if digits is None or column.name not in batch.schema.names:
            continue
        longer = rf"\.\d{{{digits}}}\d*[1-9]"
        if pc.any(pc.match_substring_regex(batch.column(column.name), longer)).as_py():
            raise DatabaseError(
                f"a time in column {column.name!r} has more digits of a second than "
                f"{column.declared} keeps. Make it {(column.declared or '').split('(')[0]}(6)"
            )
