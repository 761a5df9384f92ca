"""Statements that write predictions, or change tables as T-SQL does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import sqlscore
from sqlscore.statements import writing
from tests.contract.statements import FROM, ROWS, expected, found_by, in_tables, shop_of

if TYPE_CHECKING:
    from tests.fixtures.databases import Database
    from tests.fixtures.scoring import Shop


@pytest.fixture
def shop(database: Database) -> Shop:
    return shop_of(database)


@pytest.fixture(params=["one table", "two tables"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    in_tables(request.param, monkeypatch)


def test_predictions_are_written(shop: Shop):
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64(), "note": pa.string()})
    shop.create("rounded", None, {"id": pa.int64(), "score": pa.int64()})
    statements = [
        f"INSERT INTO scores (id, score) SELECT d.id, p.score {FROM} AS p",
        f"INSERT dbo.scores SELECT d.id, p.score, 'x' + 'y' {FROM} AS p",
        "WITH d AS (SELECT * FROM customers)"
        " INSERT INTO scores (score, id)"
        " SELECT p.score, d.id FROM PREDICT(MODEL = churn, DATA = d) AS p",
    ]
    for statement in statements:
        done = shop.scoring.sql(statement)
        assert done.rows_written in (ROWS, None), statement
        assert done.columns == []
        assert found_by(shop, "SELECT id, score FROM scores") == wanted, statement
        shop.run("DELETE FROM scores")
    shop.scoring.sql(f"INSERT INTO rounded SELECT d.id, p.score * 100 {FROM} AS p")
    assert len(shop.ask("SELECT * FROM rounded")) == ROWS


def test_predictions_that_memory_does_not_hold(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Where a reader is in the way of what is written, they wait in a file for its end."""
    monkeypatch.setattr(writing, "_IN_MEMORY", 0)
    shop.scoring.sql(f"SELECT d.id, p.score INTO spooled {FROM} AS p")
    assert found_by(shop, "SELECT id, score FROM spooled") == expected(shop)


def test_nothing_is_written_by_a_statement_that_fails(shop: Shop):
    target = shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.write(target, {"id": [30], "score": [0.0]})
    with pytest.raises(sqlscore.DatabaseError, match="line 2, column 1"):
        shop.scoring.sql(f"PRINT 'on'\nINSERT INTO scores SELECT d.id, p.score {FROM} AS p")
    assert shop.ask("SELECT id FROM scores") == [(30,)]


#: statements that write: what they leave in `scores`, which begins with 1 -> 10, 2 -> 20, 3 -> 30
WRITES = {
    "UPDATE s SET s.score = b.v FROM scores AS s JOIN changes AS b ON s.id = b.id": {
        1: 10, 2: 200, 3: 300
    },
    "UPDATE scores SET score = v + 1 FROM changes AS b WHERE b.id = scores.id AND b.v > 200": {
        1: 10, 2: 20, 3: 301
    },
    "UPDATE dbo.scores SET score = score / 3 WHERE id = 2": {1: 10, 2: 20 / 3, 3: 30},
    "DELETE s FROM scores AS s JOIN changes b ON b.id = s.id WHERE b.v > 200": {1: 10, 2: 20},
    "DELETE FROM scores WHERE EXISTS (SELECT 1 FROM changes AS b WHERE b.id = scores.id)": {1: 10},
    "MERGE INTO scores AS t USING changes AS s ON t.id = s.id"
    " WHEN MATCHED AND s.v > 200 THEN DELETE"
    " WHEN MATCHED THEN UPDATE SET t.score = s.v"
    " WHEN NOT MATCHED BY TARGET THEN INSERT (id, score) VALUES (s.id, s.v);": {
        1: 10, 2: 200, 4: 400
    },
}  # fmt: skip


def test_tables_are_changed_as_in_t_sql(shop: Shop):
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    changes = shop.create("changes", None, {"id": pa.int64(), "v": pa.int64()})
    shop.write(changes, {"id": [2, 3, 4], "v": [200, 300, 400]})
    for statement, wanted in WRITES.items():
        shop.scoring.sql("INSERT INTO scores VALUES (1, 10), (2, 20), (3, 30)")
        shop.scoring.sql(statement)
        found = dict(shop.ask("SELECT id, score FROM scores"))
        assert found == pytest.approx(wanted), statement
        shop.run("DELETE FROM scores")
    if shop.scoring.product.t_sql:
        return  # it takes outer joins as well
    with pytest.raises(sqlscore.StatementError, match="take inner joins"):
        shop.scoring.sql("DELETE s FROM scores AS s LEFT JOIN changes b ON b.id = s.id")


@pytest.mark.usefixtures("tables")
def test_predictions_change_tables(shop: Shop):
    wanted = {key: score for key, score in expected(shop).items() if key < 30}
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.run("INSERT INTO scores VALUES (0, 7), (3, 7), (700, 7)")
    shop.scoring.sql(
        "MERGE INTO scores AS t USING PREDICT(MODEL = churn, DATA ="
        " (SELECT * FROM customers WHERE id < 30) AS d) WITH (score float) AS p ON t.id = d.id"
        " WHEN MATCHED THEN UPDATE SET score = p.score"
        " WHEN NOT MATCHED THEN INSERT (id, score) VALUES (d.id, p.score);"
    )
    assert found_by(shop, "SELECT id, score FROM scores WHERE id < 700") == wanted
    shop.run("UPDATE scores SET score = 1")
    shop.scoring.sql(f"UPDATE s SET score = p.score {FROM} AS p JOIN scores AS s ON s.id = d.id")
    assert found_by(shop, "SELECT id, score FROM scores WHERE id < 700") == wanted
    assert shop.ask("SELECT score FROM scores WHERE id = 700") == [(1,)]


def test_output_gives_the_rows_that_were_written(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    written = "INSERT INTO scores (id, score) OUTPUT INSERTED.ID AS written, inserted.score"
    assert found_by(shop, f"{written} SELECT d.id, p.score {FROM} AS p") == wanted
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    values = shop.scoring.sql("INSERT INTO scores OUTPUT inserted.* VALUES (1000, 7)")
    assert list(values) == [(1000, 7)]
    deleted = "DELETE FROM scores OUTPUT deleted.id, deleted.score * 2 AS twice WHERE id = 1000"
    assert list(shop.scoring.sql(deleted)) == [(1000, 14)]
    update = "UPDATE scores SET score = 5 OUTPUT inserted.score WHERE id = 3"
    assert list(shop.scoring.sql(update)) == [(5,)]
    apart = f"UPDATE scores SET score = p.score {FROM} AS p WHERE scores.id = d.id"
    shop.scoring.sql(apart)
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    joined = (
        "UPDATE c SET spend += 1 + 0 * p.score OUTPUT deleted.ID, inserted.spend - deleted.spend"
        f" AS more, d.age * 0 AS none {FROM} AS p JOIN customers AS c ON c.id = d.id WHERE c.id < 4"
    )
    assert sorted(shop.scoring.sql(joined)) == [(0, pytest.approx(1), 0), (3, pytest.approx(1), 0)]
    shop.run("CREATE TABLE keyless (a integer, b integer)", "INSERT INTO keyless VALUES (1, 2)")
    for told, statement in {
        "needs to find its rows again, and it is of a table without a primary key": (
            "UPDATE keyless SET a = 5 OUTPUT deleted.a"
        ),
        "needs to find its rows again, and it changes its primary key": (
            "UPDATE scores SET id = 5 OUTPUT deleted.id WHERE id = 3"
        ),
        "has several rows for one of the table's": (
            "UPDATE s SET score = 1 OUTPUT deleted.id FROM scores AS s, customers AS c"
        ),
        "the SELECT names a column twice: id": (
            "UPDATE scores SET score = 5 OUTPUT deleted.id, inserted.id WHERE id = 3"
        ),
    }.items():
        with pytest.raises(sqlscore.StatementError, match=told):
            shop.scoring.sql(statement)
    assert shop.ask("SELECT a FROM keyless") == [(1,)]
    with pytest.raises(sqlscore.StatementError, match=r"OUTPUT deleted\.… of INSERT"):
        shop.scoring.sql("INSERT INTO scores OUTPUT deleted.id VALUES (1001, 7)")
    assert len(shop.ask("SELECT id FROM scores")) == ROWS


def test_output_puts_rows_into_a_table(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.create("log", None, {"id": pa.int64(), "score": pa.float64(), "note": pa.string()})
    done = shop.scoring.sql(
        "INSERT INTO scores (id, score) OUTPUT inserted.score, inserted.ID INTO dbo.log (score, id)"
        f" SELECT d.id, p.score {FROM} AS p"
    )
    assert (done.rows_written, done.columns) == (ROWS, [])
    assert found_by(shop, "SELECT id, score FROM log") == wanted
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    gone = "DECLARE @gone TABLE (id bigint PRIMARY KEY, score float)\nDELETE FROM scores {} {}"
    both = gone.format("OUTPUT deleted.* INTO @gone OUTPUT deleted.id AS left_out", "WHERE id < 9")
    found = shop.scoring.sql(f"{both}\nSELECT id FROM @gone ORDER BY id")
    assert list(found) == [(0,), (3,), (6,)]
    assert sorted(found.earlier[0]) == [(0,), (3,), (6,)]
    nothing = gone.format("OUTPUT deleted.* INTO @gone", "WHERE id < 9\nSELECT @@ROWCOUNT AS n")
    assert list(shop.scoring.sql(nothing)) == [(0,)]
    with pytest.raises(sqlscore.StatementError, match="INSERT writes 3 columns of 'log'"):
        shop.scoring.sql("DELETE FROM scores OUTPUT deleted.id INTO log")
    assert len(shop.ask("SELECT id FROM scores")) == ROWS - 3
    shop.run("DELETE FROM log")
    shop.scoring.sql(
        "UPDATE scores SET score += 1 OUTPUT 'more', inserted.id, inserted.score - deleted.score"
        " INTO log (note, id, score) WHERE id IN (30, 33)"
    )
    logged = shop.ask("SELECT id, score FROM log WHERE note = 'more' ORDER BY id")
    assert logged == [(30, pytest.approx(1)), (33, pytest.approx(1))]


#: a MERGE of scores 1 -> 10, 2 -> 20, 3 -> 30 with 2 -> 200, 3 -> 300, 4 -> 400
MERGED = (
    "MERGE INTO scores AS t USING changes AS s ON t.id = s.id {} WHEN NOT MATCHED THEN"
    " INSERT (id, score) VALUES (s.id, s.v) {};"
)


def test_output_of_merge(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.run("INSERT INTO scores VALUES (1, 10), (2, 20), (3, 30)")
    changes = shop.create("changes", None, {"id": pa.int64(), "v": pa.int64()})
    shop.write(changes, {"id": [2, 3, 4], "v": [200, 300, 400]})
    wanted = "OUTPUT $action, inserted.id, deleted.score AS old"
    delete = "WHEN MATCHED AND s.v > 200 THEN DELETE"
    update = "WHEN MATCHED THEN UPDATE SET t.score = s.v"
    found = shop.scoring.sql(MERGED.format(delete, wanted))
    assert found.columns == ["$action", "id", "old"]
    assert sorted(found, key=str) == [("DELETE", None, 30), ("INSERT", 4, None)]
    assert shop.ask("SELECT id FROM scores ORDER BY id") == [(1,), (2,), (4,)]
    shop.run("UPDATE changes SET id = 5 WHERE id = 4")
    into = "OUTPUT $action, inserted.id INTO @log"
    log = "DECLARE @log TABLE (did nvarchar(10), id bigint)\n"
    merge = f"{log}{MERGED.format(f'{delete} {update}', into)}\nSELECT did, id FROM @log"
    assert sorted(shop.scoring.sql(merge)) == [("INSERT", 3), ("INSERT", 5), ("UPDATE", 2)]
    before = shop.ask("SELECT id, score FROM scores ORDER BY id")
    with pytest.raises(sqlscore.StatementError, match="OUTPUT of MERGE gives inserted"):
        shop.scoring.sql(MERGED.format(delete, "OUTPUT s.v"))
    assert shop.ask("SELECT id, score FROM scores ORDER BY id") == before
    shop.run("DELETE FROM changes WHERE id = 5", "UPDATE changes SET id = 6 WHERE id = 3")
    rest = "WHEN NOT MATCHED BY SOURCE AND t.id > 3 THEN UPDATE SET score = -t.score"
    found = shop.scoring.sql(
        f"MERGE scores AS t USING changes AS s ON t.id = s.id {update} WHEN NOT MATCHED BY TARGET"
        f" THEN INSERT VALUES (s.id, s.v) {rest} WHEN NOT MATCHED BY SOURCE THEN DELETE"
        " OUTPUT $action AS did, COALESCE(inserted.id, deleted.id) AS id, deleted.score AS old,"
        " inserted.score AS new;"
    )
    assert sorted(found) == [
        ("DELETE", 1, 10, None), ("DELETE", 3, 300, None), ("INSERT", 6, None, 300),
        ("UPDATE", 2, 200, 200), ("UPDATE", 4, 400, -400), ("UPDATE", 5, 400, -400),
    ]  # fmt: skip
    shop.scoring.sql(
        "MERGE scores AS t USING changes AS s ON t.id = s.id"
        " WHEN MATCHED AND t.score > 250 THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE;"
    )
    assert shop.ask("SELECT id FROM scores") == [(2,)]
    twice = f"{rest.replace('score = ', 'id = ')} WHEN MATCHED THEN UPDATE SET score = 1;"
    with pytest.raises(sqlscore.StatementError, match="two UPDATEs changes id, which ON compares"):
        shop.scoring.sql(f"MERGE scores AS t USING changes AS s ON t.id = s.id {twice}")


def test_merge_changes_no_row_twice(shop: Shop):
    shop.create(
        "scores", {"id": [1, 2], "score": [10.0, 20.0]}, {"id": pa.int64(), "score": pa.float64()}
    )
    columns = {"n": pa.int64(), "id": pa.int64(), "v": pa.int64()}
    shop.create("changes", {"n": [1, 2], "id": [2, 2], "v": [200, 300]}, columns, key=("n",))
    merge = MERGED.format("WHEN MATCHED {} THEN UPDATE SET score = s.v", "")
    if shop.scoring.product.t_sql:
        return  # the server's own error
    with pytest.raises(sqlscore.StatementError, match="line 1, column 1: MERGE would update or"):
        shop.scoring.sql(merge.format(""))
    assert shop.ask("SELECT score FROM scores ORDER BY id") == [(10,), (20,)]
    shop.scoring.sql(merge.format("AND s.v > 200"))
    assert shop.ask("SELECT score FROM scores ORDER BY id") == [(10,), (300,)]
