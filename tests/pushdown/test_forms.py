"""A model as a view, functions, a procedure, computed columns: made in each database, and asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import sqlglot

import sqlscore
from sqlscore.costs import samples
from sqlscore.errors import DatabaseError, PushdownUnsupported
from sqlscore.model.compiling import statements
from tests.contract import tables
from tests.fixtures import models
from tests.fixtures.tds import grammar

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from tests.fixtures.databases import Database

#: names that have to be quoted, and one that only parameters of SQL Server are not called
NAMES = ["age", "spend (CHF)", "Order", "d"]
MODELS: dict[str, Callable[[], bytes]] = {
    "linear": lambda: models.logistic(4),
    "trees": lambda: models.lightgbm(4, 10),
}
OUTPUTS = {
    "linear": {"label": "output_label", "score": "output_probability[1]"},
    "trees": {"label": "label", "score": "probabilities[1]"},
}


@pytest.fixture
def rows(database: Database) -> np.ndarray:
    """Rows of a table ``customers`` with the features and an ``id``."""
    x = models.columns(200, 4, seed=2)
    columns: dict[str, Any] = dict(zip(NAMES, x.T.tolist(), strict=True))
    columns["id"] = list(range(len(x)))
    stored = {name: pa.array(values) for name, values in columns.items()}
    types: dict[str, pa.DataType | str] = {name: stored[name].type for name in ("id", *NAMES)}
    tables.write(database, tables.create(database, "customers", types), stored)
    return x


def _model(name: str) -> sqlscore.Model:
    return sqlscore.load(MODELS[name](), features=NAMES, outputs=OUTPUTS[name])


def _make(database: Database, name: str, form: str, called: str = "churn") -> None:
    made = statements(
        _model(name), dialect=database.engine.dialect.name, table="customers", key="id",
        form=form, name=called,
    )  # fmt: skip
    with database.engine.begin() as connection:
        for text in made.texts:
            connection.exec_driver_sql(text)


def _asked(database: Database, query: str) -> list[Any]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def _expected(name: str, x: np.ndarray) -> list[Any]:
    found = _model(name).predict(pa.table(dict(zip(NAMES, x.T, strict=True))))
    return [(i, row["label"], row["score"]) for i, row in enumerate(found.to_pylist())]


def _arguments(database: Database) -> str:
    quote = database.engine.dialect.identifier_preparer.quote_identifier
    return ", ".join(f"c.{quote(name)}" for name in NAMES)


def _not_on_the_endpoint(database: Database) -> None:
    if database.engine.dialect.name == "mssql":
        pytest.skip("DuckDB behind the endpoint has no such thing; the text is parsed below")


def test_a_view(database: Database, rows: np.ndarray) -> None:
    for name in MODELS:
        _make(database, name, "view", f"{name}_scores")
        _make(database, name, "view", f"{name}_scores")  # it takes the first one's place
        found = _asked(database, f"SELECT id, label, score FROM {name}_scores ORDER BY id")
        assert found == [pytest.approx(row, abs=1e-6) for row in _expected(name, rows)]


def test_functions(database: Database, rows: np.ndarray) -> None:
    _not_on_the_endpoint(database)
    if database.engine.dialect.name == "sqlite":
        with pytest.raises(DatabaseError, match="sqlite takes no model as a function"):
            _make(database, "trees", "function")
        return
    given = _arguments(database)
    query = f"SELECT c.id, churn_label({given}), churn_score({given}) FROM customers c ORDER BY 1"
    for name in MODELS:
        _make(database, name, "function")
        expected = _expected(name, rows)
        assert _asked(database, query) == [pytest.approx(row, abs=1e-6) for row in expected]


def test_computed_columns(database: Database, rows: np.ndarray) -> None:
    _not_on_the_endpoint(database)
    if database.engine.dialect.name == "duckdb":
        with pytest.raises(DatabaseError, match="duckdb takes no model as a computed-column"):
            _make(database, "trees", "computed-column")
        return
    _make(database, "trees", "computed-column")
    found = _asked(database, "SELECT id, label, score FROM customers ORDER BY id")
    assert found == [pytest.approx(row, abs=1e-6) for row in _expected("trees", rows)]


def test_a_model_is_installed_and_replaces_only_what_is_ours(
    database: Database, rows: np.ndarray
) -> None:
    _not_on_the_endpoint(database)
    with sqlscore.connect(database.engine) as db:
        db.models.add("churn", MODELS["trees"](), features=NAMES, outputs=OUTPUTS["trees"])
        assert db.install_model("churn", table="customers", key="id") == ("churn_scores",)
        assert db.install_model("churn:1", table="customers", key="id") == ("churn_scores",)
        found = _asked(database, "SELECT id, label, score FROM churn_scores ORDER BY id")
        assert found == [pytest.approx(row, abs=1e-6) for row in _expected("trees", rows)]
        with pytest.raises(DatabaseError, match="sqlscore did not compile it"):
            db.install_model("churn", table="customers", key="id", name="customers")
        with pytest.raises(DatabaseError, match="needs a table"):
            db.install_model("churn")
        if database.engine.dialect.name != "sqlite":
            for _ in range(2):
                made = db.install_model("churn:1", form="function")
            assert made[:2] == ("churn_label", "churn_probabilities_0")


def test_a_procedure_of_mariadb(mariadb: Database) -> None:
    with mariadb.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE customers (id int, a double, b double)")
        connection.exec_driver_sql("INSERT INTO customers VALUES (7, 1, 2)")
    text = "g (float[N,2] x) => (float[N] y) { y = ReduceMean <axes = [1], keepdims = 0> (x) }"
    model = sqlscore.load(models.written(text), features=["a", "b"])
    made = statements(
        model, dialect="mysql", table="customers", key="id", form="procedure", name="middle"
    )
    with mariadb.engine.begin() as connection:
        for text in made.texts:
            connection.exec_driver_sql(text)
        assert connection.exec_driver_sql("CALL middle()").all() == [(7, 1.5)]


@pytest.mark.parametrize("name", MODELS)
def test_postgres_puts_a_function_into_the_query(postgres: Database, name: str) -> None:
    with postgres.engine.begin() as connection:
        columns = ", ".join(f'"{one}" double precision' for one in NAMES)
        connection.exec_driver_sql(f"CREATE TABLE customers (id bigint, {columns})")
    _make(postgres, name, "function")
    query = f"EXPLAIN VERBOSE SELECT churn_score({_arguments(postgres)}) FROM customers c"
    (plan,) = _asked(postgres, query)[1]
    assert "churn_score" not in plan
    assert "CASE" in plan


@pytest.mark.parametrize("form", ["select", "view", "function", "procedure", "computed-column"])
@pytest.mark.parametrize("name", MODELS)
def test_sql_server_takes_every_form(name: str, form: str) -> None:
    text = sqlscore.compile(
        _model(name), dialect="mssql", table="dbo.customers", key="id", form=form, name="churn"
    )
    grammar.parsed(text)
    if form == "select":  # at most 10 levels of CASE, which the parser does not see
        grammar.sound(sqlglot.parse_one(text, read="tsql"))
    assert text.startswith("-- a model, sha256 ")


def test_what_is_too_deep_for_a_column_is_refused() -> None:
    deep = sqlscore.load(samples.forest(1, depth=11), features=samples.NUMBERS)
    with pytest.raises(PushdownUnsupported, match="use a view or a function"):
        sqlscore.compile(deep, dialect="mssql", form="computed-column")


def test_a_view_says_what_it_is(sqlite: Database) -> None:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE customers (id INTEGER)")
        columns = ", ".join(f'"{one}" REAL' for one in NAMES)
        connection.exec_driver_sql(f"CREATE TABLE more ({columns})")
    _make(sqlite, "linear", "view")
    with sqlite.engine.connect() as connection:
        text = connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name = 'churn'"))
    assert f"sha256 {_model('linear').sha256}, compiled by sqlscore {sqlscore.__version__}" in text
