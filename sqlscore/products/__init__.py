"""The database products that sqlscore knows, and how to find the one of an engine or a URL."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError, MissingExtra
from sqlscore.products import generic
from sqlscore.products.duckdb import DUCKDB
from sqlscore.products.mssql import MSSQL
from sqlscore.products.mysql import MYSQL
from sqlscore.products.postgres import POSTGRES
from sqlscore.products.sqlite import SQLITE
from sqlscore.tables.schema import OPTION, placed, placed_like

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sqlscore.products.functions import Functions
    from sqlscore.products.product import Product

#: the parameter of a URL that bounds the connections
CONNECTIONS = "sqlscore_connections"

#: SQLAlchemy's name of a dialect -> product
PRODUCTS: dict[str, Product] = {
    "duckdb": DUCKDB,
    "mssql": MSSQL,
    "mysql": MYSQL,
    "mariadb": MYSQL,
    "postgresql": POSTGRES,
    "sqlite": SQLITE,
}

#: dialect -> the extra that brings its driver
_EXTRAS = {
    "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "duckdb": "duckdb",
    "mssql": "mssql",
}  # fmt: skip

#: SQLAlchemy's dialect, or the module of a connection -> where its `Functions` are
_FUNCTIONS = {
    "sqlite": "sqlscore.products.sqlite.functions",
    "sqlite3": "sqlscore.products.sqlite.functions",
    "duckdb": "sqlscore.products.duckdb.functions",
    "_duckdb": "sqlscore.products.duckdb.functions",
}


def product_for(engine: Engine) -> Product:
    """The product of an engine; a generic one for a dialect that nobody described."""
    return PRODUCTS.get(engine.dialect.name) or generic.product(engine.dialect)


def product_named(url: str | sa.URL) -> Product | None:
    """The product that a URL names, which needs no driver for that; None where it is not known."""
    return PRODUCTS.get(parsed(url).get_backend_name())


def engine_for(url: str | sa.URL, *, connections: int | None = None) -> Engine:
    """An engine with sqlscore's own settings for a URL; nothing is connected yet.

    connections: the most to have at once; where it is None, the URL's parameter
        ``sqlscore_connections``, if it has that.

    The URL's parameter ``sqlscore_schema`` names the schema of the owned tables there.
    `DatabaseError` for a text that is no URL or names no known database, and for too few
    connections; `MissingExtra` where the driver is not installed.
    """
    found = parsed(url)
    schema = found.query.get(OPTION)
    most = found.query.get(CONNECTIONS) if connections is None else connections
    engine = _made(found.difference_update_query([OPTION, CONNECTIONS]), most)
    return placed(engine, schema) if isinstance(schema, str) else engine


def engine_beside(url: str | sa.URL, other: Engine) -> Engine:
    """An engine for a URL, with the other's schema and bound of connections where it has none."""
    most = (
        None if CONNECTIONS in parsed(url).query else other.get_execution_options().get(CONNECTIONS)
    )
    return placed_like(engine_for(url, connections=most), other)


def _made(url: sa.URL, most: object) -> Engine:
    name = url.get_backend_name()
    make = PRODUCTS[name].engine if name in PRODUCTS else generic.engine
    try:
        if most is None:
            return make(url)
        bounded = make(url, **_pool(name, most))
        return bounded.execution_options(**{CONNECTIONS: most})
    except sa.exc.NoSuchModuleError as error:
        raise DatabaseError(
            f"no database product {name!r} is known here. A URL begins like postgresql://, "
            "mysql://, mssql://, sqlite:/// or duckdb:///; others need their SQLAlchemy dialect "
            "installed"
        ) from error
    except ImportError as error:
        if name not in _EXTRAS:
            raise DatabaseError(
                f"the driver of {url.drivername} is not installed: {error}"
            ) from error
        raise MissingExtra(_EXTRAS[name], f"a {name} database") from error


def _pool(name: str, most: object) -> dict[str, int]:
    """The bounds of a pool that leaves the product's reader its own connections."""
    product = PRODUCTS.get(name)
    beside = product.reader_connections if product else 0
    least = max(2, beside + 1)  # a run reads while it writes
    if str(most).isdecimal() and int(str(most)) >= least:
        return {"pool_size": int(str(most)) - beside, "max_overflow": 0}
    raise DatabaseError(
        f"connections= (in a URL {CONNECTIONS}=) is the most to have at once: {least} or more for "
        f"{product.name if product else name}, not {most!r}"
    )


def parsed(url: str | sa.URL) -> sa.URL:
    """The text as a URL; `DatabaseError`, without the text, for what is none."""
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The text may hold a password, and SQLAlchemy's message the text.
        raise DatabaseError(
            "this is no database URL. It looks like postgresql://user:password@host/database, "
            "with special characters of the password percent-encoded"
        ) from None


def disconnected(engine: sa.Engine) -> object:
    """Give an engine a new pool in a child, which connects anew; the parent's pool.

    A pool that is one connection for all is a database in memory: the child has a copy of both.
    """
    pool = engine.pool
    if not isinstance(pool, sa.StaticPool):
        engine.dispose(close=False)
    return pool


def functions_for(connection: object) -> Functions:
    """What makes functions on an open connection; `DatabaseError` for one that takes none."""
    given = (
        connection.dialect.name if isinstance(connection, sa.Connection) else _module(connection)
    )
    home = _FUNCTIONS.get(given)
    if home is None:
        raise DatabaseError(
            f"a connection of {given} takes no functions from here: give one of sqlite3 or duckdb, "
            "or SQLAlchemy's of one of them"
        )
    found: Functions = importlib.import_module(home).FUNCTIONS
    return found


def _module(connection: object) -> str:
    """The module whose connection it is; a class of one's own counts as what it is made from."""
    modules = [kind.__module__.partition(".")[0] for kind in type(connection).__mro__]
    return next((m for m in modules if m in _FUNCTIONS), modules[0])
