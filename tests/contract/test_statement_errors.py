"""What is wrong with a statement is said, with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import sqlscore
from tests.contract.statements import FROM, shop_of

if TYPE_CHECKING:
    from tests.fixtures.databases import Database
    from tests.fixtures.scoring import Shop


@pytest.fixture
def shop(database: Database) -> Shop:
    return shop_of(database)


#: what only the bridge does -> its WITH list, and what the refusal says
ONLY_BRIDGED = {
    "NOT NULL": ("score real NOT NULL", "score is NOT NULL, which only the bridge checks"),
    "a length": ("score nvarchar(20)", "score has a length"),
    "another type": ("score int", "score is int32, whose values only the bridge makes of float"),
}


def test_what_cannot_be_pushed_down_is_refused_with_its_reasons(shop: Shop):
    for name, (listed, message) in ONLY_BRIDGED.items():
        statement = f"SELECT d.id, p.score {FROM} WITH ({listed}) AS p"
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(statement, route="push-down")
        assert str(raised.value).startswith("line 1, column 27: this PREDICT cannot"), name
        assert message in str(raised.value), name
        (one,) = shop.scoring.explain(statement).predicts
        assert message in one.refused[0], name
    with pytest.raises(sqlscore.StatementError, match=r"no route 'pushdown'.*Did you mean"):
        shop.scoring.sql("SELECT 1 AS one", route="pushdown")


SCORED = "SELECT p.score FROM PREDICT(MODEL = churn, DATA = customers AS d)"

#: what is wrong -> the statement, and what the message says, with its place
BAD: dict[str, tuple[str, str]] = {
    "unclosed": (
        "SELECT 1\nFROM PREDICT(MODEL = churn, DATA = customers",
        "line 2, column 6: PREDICT is not closed",
    ),
    "no MODEL": (
        "SELECT * FROM PREDICT(DATA = customers) p", "line 1, column 15: PREDICT has no MODEL",
    ),
    "no DATA": (
        "SELECT * FROM PREDICT(MODEL = churn) p", "line 1, column 15: PREDICT has no DATA",
    ),
    "DATA of each row": (
        "SELECT p.score FROM customers AS c\nCROSS APPLY PREDICT(MODEL = churn,"
        " DATA = (SELECT c.age, c.spend) AS d) AS p",
        "line 2, column 53: DATA is evaluated once, by itself: it cannot read 'c'.*join PREDICT by",
    ),
    "another runtime": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers,\n RUNTIME = TENSOR) p",
        "line 2, column 12: RUNTIME = 'TENSOR'",
    ),
    "no row": (
        "SELECT * FROM PREDICT(MODEL = (SELECT model FROM kept_models WHERE id = 2),"
        " DATA = customers) p",
        "line 1, column 39: MODEL = .SELECT …. gives no row",
    ),
    "two rows": (
        "SELECT * FROM PREDICT(MODEL = (SELECT age FROM customers), DATA = customers) p",
        "line 1, column 39: .*gives more than one row",
    ),
    "NULL": (
        "SELECT * FROM PREDICT(MODEL = (SELECT age FROM customers WHERE id = 9),"
        " DATA = customers) p",
        "line 1, column 39: MODEL is NULL",
    ),
    "no model": (
        "SELECT * FROM PREDICT(MODEL = 0xABCD, DATA = customers) p",
        "line 1, column 15: MODEL: the model is not an ONNX model",
    ),
    "unknown model": (
        "SELECT * FROM PREDICT(MODEL = chur, DATA = customers) p",
        "line 1, column 31: .*no model 'chur'.*Did you mean 'churn'",
    ),
    "unknown variable": (
        "DECLARE @model varbinary(max)\nSELECT * FROM PREDICT(MODEL = @modl, DATA = customers) p",
        "line 2, column 31: the variable @modl is not declared.*Did you mean '@model'",
    ),
    "unknown table": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = custmers) p",
        "line 1, column 45: there is no table or view 'custmers'. Did you mean 'customers'",
    ),
    "unknown temporary table": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = #c) p",
        "line 1, column 45: there is no temporary table '#c'",
    ),
    "DATA does not bind": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = (SELECT id, age FROM customers) AS d) p",
        "line 1, column 15: DATA does not fit the model.*'spend': no such column",
    ),
    "WITH does not bind": (
        f"{SCORED} WITH (score real, other real) AS p",
        "line 1, column 21: the WITH list asks for 'score', 'other'.*no prediction 'other'"
        ".*It returns: 'score'",
    ),
    "a type that does not hold": (
        f"{SCORED} WITH (score int) p",
        "line 1, column 21: a prediction does not fit the WITH column 'score': the model gives "
        "real, and the column is int",
    ),
    "NOT NULL": (
        f"{SCORED} WITH (score real NOT NULL) p",
        "line 1, column 21: the WITH list says score NOT NULL.*2 of 40 rows",
    ),
    "no end before WITH": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers AS d WITH (risk float) AS p",
        "line 1, column 60: PREDICT is not closed: a '\\)' is missing before its WITH list",
    ),
    "not supported": (
        "SELECT 1\nGOTO there", "line 2, column 1: GOTO is not supported",
    ),
    "a cursor": ("DECLARE c CURSOR FOR SELECT 1", "line 1, column 1: cursors are not supported"),
    "text to run": (
        "EXEC('DROP TABLE customers')",
        "line 1, column 1: EXEC runs procedures by name, and no text",
    ),
    "TOP PERCENT": (
        "SELECT TOP 5 PERCENT id / 2 FROM customers",
        "line 1, column 1: TOP … PERCENT and WITH TIES need a name for each column",
    ),
    "NULL in a variable": (
        "DECLARE @m varbinary(max)\nSELECT * FROM PREDICT(MODEL = @m, DATA = customers) p",
        "line 2, column 31: MODEL = @m is NULL",
    ),
    "a number as a model": (
        "DECLARE @m int = 7\n\nSELECT * FROM PREDICT(MODEL = @m, DATA = customers) p",
        "line 3, column 31: MODEL = @m is int, neither the bytes of a model",
    ),
    "text that is too long": (
        f"{SCORED} WITH (score nvarchar(3)) p", "line 1, column 21: a prediction",
    ),
    "a type that is not known": (
        f"{SCORED} WITH (score geography) p", "line 1, column 21: the type GEOGRAPHY is not",
    ),
    "unknown column": (
        f"SELECT d.id, d.spnd {FROM} AS p WHERE p.score > 0",
        "line 1, column 16: DATA has no column 'spnd'. Did you mean 'spend'",
    ),
    "unknown prediction": (
        f"SELECT d.id {FROM} AS p WHERE p.risk > 0",
        "line 1, column [0-9]+: PREDICT gives no column 'risk'",
    ),
    "unknown column without a table": (
        f"SELECT id, [scor] {FROM} AS p", "line 1, column 12: .*no column 'scor'. Did you mean",
    ),
    "unknown column of a table": (
        "SELECT id FROM customers\nWHERE agee > 1", "line 2, column 7: .*no column 'agee'.*'age'",
    ),
    "unknown relation": (
        "SELECT x.id FROM customers AS c", "line 1, column 10: .*read here as 'x'. There are: c",
    ),
    "unknown column that is written": (
        "INSERT INTO customers (id, tel) VALUES (1, 2)",
        "line 1, column 28: 'customers' has no column 'tel'. There are: id, age, spend, city",
    ),
    "half an expression": ("SELECT 1 +", "line 1, column 10: .*something is missing, near"),
    "a set that gives no value": (
        "SELECT 1 AS one\nSET @x = 3", "line 2, column 1: the variable @x is not declared",
    ),
    "an argument twice": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers,\n  MODEL = churn) p",
        "line 2, column 3: PREDICT has MODEL twice",
    ),
    "half a comment": ("SELECT 1 AS one /* and", "line 1, column 17: this comment is not closed"),
    "nothing": ("-- a comment", "there is no statement"),
}  # fmt: skip


def test_bad_input_says_what_and_where(shop: Shop):
    names = {"of a table", "without a table", "that is written"}
    own = {"TOP PERCENT", "unknown relation", *(f"unknown column {name}" for name in names)}
    native = own if shop.scoring.product.t_sql else set()
    for name, (statement, message) in BAD.items():
        if name in native:
            continue
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(statement).to_arrow()
        assert re.search(message, str(raised.value), re.DOTALL), (name, str(raised.value))
