"""The owned tables in a schema of the user's choice, and least privilege, by roles that have it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

import sqlscore
from sqlscore import tables
from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.tables.rights import RIGHTS, Grant
from tests.fixtures.scoring import FEATURES, OTHER, WEIGHED, Shop, expected
from tests.fixtures.tds import grammar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

#: product -> (statements that make a role and a user who has it, statements that end both)
PEOPLE = {
    "postgres": (
        ("CREATE ROLE {role}", "CREATE ROLE {user} LOGIN PASSWORD '{word}' IN ROLE {role}"),
        ("DROP OWNED BY {role}, {user}", "DROP ROLE {user}", "DROP ROLE {role}"),
    ),
    "mariadb": (
        (
            "CREATE ROLE {role}", "CREATE USER {user}@localhost IDENTIFIED BY '{word}'",
            "GRANT {role} TO {user}@localhost", "SET DEFAULT ROLE {role} FOR {user}@localhost",
        ),
        ("DROP USER {user}@localhost", "DROP ROLE {role}"),
    ),
}  # fmt: skip


@contextmanager
def person(database: Database) -> Iterator[tuple[str, str]]:
    """A role without rights, and the URL of a user who has it."""
    words = {
        "role": f"role_{secrets.token_hex(4)}", "user": f"user_{secrets.token_hex(4)}",
        "word": "geheim",
    }  # fmt: skip
    make, end = PEOPLE[database.name]
    run(database, *(statement.format(**words) for statement in make))
    url = sa.make_url(database.url).set(username=words["user"], password=words["word"])
    try:
        yield words["role"], url.render_as_string(hide_password=False)
    finally:
        run(database, *(statement.format(**words) for statement in end))


def run(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def names(database: Database, prefix: str) -> list[str]:
    """The tables in a schema, or with its name as a prefix where there are none."""
    found = sa.inspect(database.engine)
    if database.product.schemas:
        return list(found.get_table_names(schema=prefix))
    return [name for name in found.get_table_names() if name.startswith(f"{prefix}_")]


@pytest.fixture(params=tuple(PEOPLE))
def server(request: pytest.FixtureRequest) -> Database:
    """A fresh database of each product that has roles."""
    found: Database = request.getfixturevalue(request.param)
    return found


def test_what_is_printed_makes_what_is_made(database: Database):
    ours = sqlscore.connect(database.engine, schema="ml")
    run(database, *ours.init(dry_run=True))
    made = names(database, "ml")
    assert ours.init(dry_run=True) == ours.init() == ours.upgrade() == []
    assert len(made) == len(tables.owned(schemas=False).metadata.tables)
    other = sqlscore.connect(database.engine)
    with pytest.raises(DatabaseError, match="no sqlscore tables under the name 'sqlscore'"):
        other.upgrade()
    assert other.init()
    assert len(names(database, "sqlscore")) == len(made)


def test_all_of_it_lies_in_the_chosen_schema(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SQLSCORE_SCHEMA", "ml")
    shop = Shop.on(database, rows=10)
    shop.score(
        source="SELECT id, max(age) AS age, max(spend) AS spend FROM customers GROUP BY id",
        key="id",
    )  # it is staged
    assert shop.found() == expected(range(0, 30, 3))
    assert "layout" in "".join(names(database, "ml"))
    assert not names(database, "sqlscore")
    monkeypatch.delenv("SQLSCORE_SCHEMA")
    assert list(shop.scoring.models) == []
    named = sqlscore.connect(database.engine, schema="ml")
    assert list(named.models) == ["churn"]
    assert [found.rows for found in named.runs()] == [10]
    if database.product.shared:  # the URL says it, too, and another database's follows it
        url = sa.make_url(database.url).update_query_dict({"sqlscore_schema": "ml"})
        with sqlscore.connect(url) as by_url:
            by_url.score("churn", source="customers", target="again", target_db=database.url)
        assert len(named.runs()) == 2
        assert not names(database, "sqlscore")


@pytest.mark.parametrize("schema", ["", "m l", "1st", "x" * 31, "ml;"])
def test_what_can_be_no_schema(sqlite: Database, schema: str):
    with pytest.raises(DatabaseError, match="cannot be the schema of sqlscore's tables"):
        sqlscore.connect(sqlite.engine, schema=schema)


def test_every_owned_table_is_somebodys_business():
    owned = tables.owned(schemas=True)
    named = {name for rights in RIGHTS.values() for name in rights}
    assert {getattr(owned, name).name for name in named} == {
        table.name for table in owned.metadata.tables.values()
    }


def test_each_role_can_do_its_own_and_no_more(server: Database):
    shop = Shop.on(server, rows=10)  # in the schema sqlscore, which is not the one of this test
    with ExitStack() as stack:
        people = {what: stack.enter_context(person(server)) for what in RIGHTS}
        roles = {what: role for what, (role, _) in people.items()}
        run(server, *sqlscore.connect(server.engine, schema="ml").init(grants=roles, dry_run=True))
        shop.create("predictions", columns={"id": pa.int64(), "score": pa.float32()})
        run(
            server,
            f"GRANT SELECT ON customers TO {roles['job']}",
            f"GRANT SELECT, INSERT, UPDATE ON predictions TO {roles['job']}",
        )
        connect = {
            what: stack.enter_context(sqlscore.connect(url, schema="ml"))
            for what, (_, url) in people.items()
        }
        models = connect["models"].models
        models.add("churn", WEIGHED, features=FEATURES, alias="production")
        models.add("churn", OTHER, features=FEATURES)
        models.remove("churn:2")
        for _ in range(2):
            done = connect["job"].score(
                "churn@production", source="customers", target="predictions", key="id"
            )
            assert done.rows == 10
        assert shop.found() == expected(range(0, 30, 3))
        assert [found.rows for found in connect["reader"].runs()] == [10, 10]
        for right, act in {
            "UPDATE": lambda: connect["job"].models.alias("churn", "production", 1),
            "SELECT": lambda: connect["reader"].models["churn"],
        }.items():
            with pytest.raises(DatabaseError, match=f"The right {right} is missing.*--grants"):
                act()
        _, url = stack.enter_context(person(server))
        nobody = stack.enter_context(sqlscore.connect(url, schema="ml"))
        lacks = "USAGE" if server.name == "postgres" else "to do so"
        with pytest.raises(DatabaseError, match=f"The right {lacks} is missing"):
            list(nobody.models)


def test_who_may_not_make_the_tables_is_told_what_to_do(server: Database):
    shop = Shop.on(server, rows=1)
    with person(server) as (role, url), sqlscore.connect(url, schema="ml") as nobody:
        run(server, f"GRANT SELECT ON customers TO {role}")
        with pytest.raises(DatabaseError, match=r"right \w+ is missing.*init --print-sql"):
            nobody.models.add("churn", WEIGHED, features=FEATURES)
    assert not names(shop.database, "ml")


def test_files_have_no_roles(database: Database):
    if not database.product.roles:
        with pytest.raises(DatabaseError, match="has no roles to grant rights to"):
            sqlscore.connect(database.engine).init(grants=True)
        assert not names(database, "sqlscore")


def test_a_role_for_nothing(database: Database):
    if database.product.roles:
        with pytest.raises(SqlscoreError, match=r"'jobs' is nothing .* Did you mean 'job'"):
            sqlscore.connect(database.engine).init(grants={"jobs": "etl"}, dry_run=True)


def test_grants_in_the_words_of_sql_server():
    names = sa.Table("runs", sa.MetaData(schema="my ml"))
    wanted = {
        Grant(("SELECT", "INSERT"), names, "etl"): "GRANT SELECT, INSERT ON [my ml].runs TO etl",
        Grant(("USAGE",), "ml", "a role"): "GRANT VIEW DEFINITION ON SCHEMA::ml TO [a role]",
        Grant(("USAGE", "CREATE"), "ml", "etl"): (
            "GRANT VIEW DEFINITION, ALTER ON SCHEMA::ml TO etl; GRANT CREATE TABLE TO etl"
        ),
    }
    for grant, text in wanted.items():
        assert str(grant.compile(dialect=mssql.dialect())) == text
        grammar.parsed(text)
