"""The owned tables, on every database: older layouts upgraded, newer ones left alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore import tables
from sqlscore.errors import DatabaseError
from sqlscore.tables import LAYOUT
from sqlscore.tables.owned import SINCE
from sqlscore.tables.steps import step
from sqlscore.transact import transact
from tests.fixtures.scoring import Shop, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

LAYOUTS = Path(__file__).parent.parent / "fixtures" / "layouts"


def owned(database: Database) -> tables.Tables:
    return tables.owned(schemas=database.product.schemas)


def make_layout(database: Database, number: int) -> None:
    """Make the owned tables as that layout had them, by the DDL of its time."""
    script = (LAYOUTS / f"layout_{number}.{database.name}.sql").read_text()
    with database.engine.begin() as connection:
        for statement in script.rstrip().removesuffix(";").split(";\n"):
            connection.exec_driver_sql(statement)


def described(database: Database) -> dict[str, Any]:
    """The owned tables as the database itself describes them; columns in their order."""
    schema = owned(database).metadata.schema
    with database.engine.connect() as connection:
        if database.name == "duckdb":  # its dialect cannot reflect by this SQLAlchemy
            made = "SELECT table_name, sql FROM duckdb_tables() WHERE schema_name = 'sqlscore'"
            return {row.table_name: row.sql for row in connection.exec_driver_sql(made)}
        found = sa.inspect(connection)
        return {
            name: (
                [
                    (c["name"], str(c["type"]), c["nullable"], c["default"])
                    for c in found.get_columns(name, schema)
                ],
                found.get_pk_constraint(name, schema)["constrained_columns"],
                found.get_indexes(name, schema),
            )
            for name in found.get_table_names(schema)
        }


def layout_of(database: Database) -> int:
    with database.engine.connect() as connection:
        return tables.layout_version(connection, owned(database))


def upgrade(database: Database) -> None:
    make = partial(tables.ensure, database.engine, schemas=database.product.schemas)
    transact(database.engine, make, "upgrading")


@pytest.mark.parametrize("number", range(1, LAYOUT))
def test_an_upgraded_database_equals_a_fresh_one(database: Database, number: int):
    make_layout(database, number)
    assert layout_of(database) == number
    old = described(database)
    upgrade(database)
    assert layout_of(database) == LAYOUT
    upgraded = described(database)
    assert set(old) <= set(upgraded)
    owned(database).metadata.drop_all(database.engine)
    upgrade(database)
    assert described(database) == upgraded


def test_what_an_old_layout_holds_is_there_after_the_upgrade(database: Database):
    make_layout(database, 1)
    moment = tables.now()
    with database.engine.begin() as connection:
        connection.execute(
            owned(database).aliases.insert(),
            {"name": "churn", "alias": "production", "version": 1, "changed_at": moment},
        )
    shop = Shop.on(database, rows=20)  # its first `add` upgrades
    assert layout_of(database) == LAYOUT
    assert shop.scoring.models.aliases("churn") == {"production": 1}
    shop.score("churn@production")
    assert shop.found() == expected(range(0, 60, 3))


def test_reading_upgrades_too(database: Database):
    make_layout(database, 1)
    assert sqlscore.connect(database.engine).runs() == []
    assert layout_of(database) == LAYOUT


def test_several_upgrade_at_once(database: Database):
    make_layout(database, 1)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, database) for _ in range(4)]:
            done.result()
    with database.engine.connect() as connection:
        rows = connection.execute(sa.select(owned(database).layout.c.version)).all()
    assert rows == [(LAYOUT,)]


def test_a_newer_layout_is_neither_read_nor_written(database: Database):
    shop = Shop.on(database, rows=1)
    with database.engine.begin() as connection:
        connection.execute(owned(database).layout.update().values(version=LAYOUT + 1))
    before = described(database)
    for act in (
        lambda: list(shop.scoring.models),
        lambda: shop.scoring.models.alias("churn", "production", 1),
        shop.scoring.runs,
        shop.score,
    ):
        with pytest.raises(DatabaseError, match=f"layout {LAYOUT + 1}, .*Upgrade sqlscore"):
            act()
    assert described(database) == before


def test_a_step_adds_tables_and_columns_and_can_be_taken_again(database: Database):
    schema = "extra" if database.product.schemas else None

    def layout(number: int) -> sa.MetaData:
        """A table of layout 1; layout 2 adds columns to it, and a table."""
        made = sa.MetaData(schema=schema)
        old = sa.Table("old", made, sa.Column("id", sa.Integer()), info={SINCE: 1})
        if number > 1:
            old.append_column(sa.Column("rows", sa.BigInteger(), info={SINCE: 2}))
            old.append_column(sa.Column("note", sa.Text(), info={SINCE: 2}))
            sa.Table("new", made, sa.Column("id", sa.Integer()), info={SINCE: 2})
        return made

    def take(number: int, most: int | None = None) -> int:
        with database.engine.begin() as connection:
            statements = list(step(connection, layout(number), number))[:most]
            for statement in statements:
                connection.execute(statement)
        return len(statements)

    (old,) = layout(1).tables.values()
    assert take(1) == (2 if schema else 1)
    with database.engine.begin() as connection:
        connection.execute(old.insert(), {"id": 7})
    assert take(2, most=1) == 1  # killed after its first statement
    assert take(2) == 2
    assert take(2) == 0
    with database.engine.connect() as connection:
        rows = connection.execute(sa.select(layout(2).tables[old.fullname])).all()
    assert rows == [(7, None, None)]
