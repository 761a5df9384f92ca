"""What `install --print-sql` and `uninstall --print-sql` say, run by the database's own client."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.cli import main
from sqlscore.products.mssql.routines import batches
from tests.contract.test_queue import MAY_READ, login, rows_of, working
from tests.contract.test_queue_mariadb import call, predict
from tests.fixtures import scoring
from tests.fixtures.scoring import Shop, expected
from tests.fixtures.servers import program
from tests.fixtures.tds import grammar

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

pytestmark = pytest.mark.usefixtures("roles")


def printed(capsys: Any, *words: str) -> str:
    assert main([*words, "--print-sql"]) == 0
    said: str = capsys.readouterr().out
    return said


def psql(text: str, url: sa.URL) -> None:
    client = program("psql") or pytest.skip("there is no psql here")
    place = {"PGHOST": url.host, "PGPORT": url.port, "PGDATABASE": url.database}
    account = {"PGUSER": url.username, "PGPASSWORD": url.password}
    given = {**os.environ, **{name: str(value) for name, value in (place | account).items()}}
    command = [client, "-q1", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    done = subprocess.run(command, input=text, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def has_plpython(postgres: Database) -> bool:
    offered = "SELECT 1 FROM pg_available_extensions WHERE name = 'plpython3u'"
    with postgres.engine.connect() as connection:
        return connection.exec_driver_sql(offered).first() is not None


def test_a_superuser_runs_what_was_printed_for_postgresql(postgres: Database, capsys: Any):
    if not has_plpython(postgres):
        pytest.skip("this server has no PL/Python")
    url = postgres.engine.url
    for _ in range(2):  # the second time is an upgrade
        psql(printed(capsys, "install", "--db", postgres.url), url)
    shop = Shop.on(postgres)
    source = "sqlscore.predict('churn', 'customers')"
    query = f"SELECT id, score FROM {source} AS p(id int, score float8)"
    try:
        assert dict(shop.ask(query)) == expected(range(0, 900, 3))
    except sa.exc.DBAPIError as reason:
        if "cannot import sqlscore" in str(reason):
            pytest.skip("the server's account cannot read this package")
        raise
    psql(printed(capsys, "uninstall", "--purge", "--db", postgres.url), url)
    assert shop.ask("SELECT to_regnamespace('sqlscore')") == [(None,)]


def test_who_may_make_roles_runs_what_was_printed_for_postgresqls_queue(
    postgres: Database, capsys: Any
):
    plain = Shop.on(postgres)
    plain.scoring.uninstall(purge=True)
    create = f"GRANT CREATE ON DATABASE {sa.make_url(postgres.url).database} TO {{}}"
    with login(plain, "ALTER ROLE {} CREATEROLE", create, MAY_READ) as url:
        psql(printed(capsys, "install", "--queue", "--db", url), sa.make_url(url))
        with sqlscore.connect(url) as theirs, theirs.engine.connect() as connection:
            theirs.models.add("churn", scoring.WEIGHED, features=scoring.FEATURES)
            job = connection.scalar(sa.text("SELECT sqlscore.submit('churn', 'customers')"))
            connection.commit()
            assert theirs.worker().drain() == 1
            found = connection.exec_driver_sql(rows_of(job)).all()
            assert dict(map(tuple, found)) == expected(range(0, 900, 3))
            unpushed = "SELECT * FROM sqlscore.predict('churn', 'customers') AS p(score real)"
            with pytest.raises(sa.exc.DBAPIError, match=r"sqlscore\.submit"):
                connection.exec_driver_sql(unpushed)
        psql(printed(capsys, "uninstall", "--purge", "--db", url), sa.make_url(url))
    assert plain.ask("SELECT to_regnamespace('sqlscore')") == [(None,)]


def mariadb_client(text: str, url: sa.URL) -> None:
    client = program("mariadb") or pytest.skip("there is no client of MariaDB here")
    place = [f"--host={url.host}", f"--port={url.port}", f"--user={url.username}"]
    given = {**os.environ, "MYSQL_PWD": url.password or ""}
    command = [client, *place, "--protocol=tcp", str(url.database)]
    done = subprocess.run(command, input=text, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_was_printed_for_mariadb_runs_in_its_client(mariadb: Database, capsys: Any):
    shop = Shop.on(mariadb)
    url = mariadb.engine.url
    mariadb_client(printed(capsys, "install", "--db", mariadb.url), url)
    with working(shop):
        (row,) = call(shop, predict("SELECT id, age, spend FROM customers WHERE id = 3"))
    assert row[-1] == pytest.approx(expected([3])[3], rel=1e-5)
    mariadb_client(printed(capsys, "uninstall", "--purge", "--db", mariadb.url), url)
    assert [name for (name,) in shop.ask("SHOW TABLES") if name.startswith("sqlscore")] == []


@pytest.mark.parametrize("queue", [False, True])
def test_what_is_printed_for_sql_server_is_what_runs(mssql: Database, queue: bool, capsys: Any):
    words = ["--queue"] if queue else []
    text = printed(capsys, "install", *words, "--db", mssql.url)
    for batch in batches(text):
        grammar.parsed(batch, "2022")
        with mssql.engine.begin() as connection:
            connection.execution_options(no_parameters=True).exec_driver_sql(batch)
    Shop.on(mssql, rows=3)
    taken = printed(capsys, "uninstall", "--purge", "--db", mssql.url)
    for batch in batches(taken):
        grammar.parsed(batch, "2022")


def test_a_product_without_functions_says_so(sqlite: Database, capsys: Any):
    assert main(["install", "--print-sql", "--db", sqlite.url]) != 0
    assert "sqlscore.attach" in capsys.readouterr().err
