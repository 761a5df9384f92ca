"""What works here: the packages, the execution providers, the databases, and one database itself.

A check never changes anything that stays: a table that is made to see whether it may be made is
gone when the check is.
"""

from __future__ import annotations

import platform
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.database import connect
from sqlscore.errors import SqlscoreError
from sqlscore.session import PROVIDERS, available, install
from sqlscore.tables import LAYOUT, layout_version, owned_by
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from importlib.metadata import Distribution

    from sqlscore.database import Database


class State(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    SLOW = "slow"  #: it works, and could be faster
    ABSENT = "-"  #: not installed, and not needed unless you want it
    BAD = "BAD"  #: what you asked for does not work


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What was found about one thing."""

    subject: str
    state: State
    found: str
    remedy: str | None = None  #: what to do about it, where there is something


@dataclass(frozen=True, kw_only=True, slots=True)
class _Needs:
    """The modules that a database needs, and those that make it fast."""

    product: str
    extra: str
    needed: tuple[str, ...]
    fast: tuple[str, ...]


_DATABASES = (
    _Needs(
        product="PostgreSQL", extra="postgres", needed=("psycopg",), fast=("connectorx", "pgpq")
    ),
    _Needs(product="MySQL, MariaDB", extra="mysql", needed=("pymysql",), fast=("connectorx",)),
    _Needs(product="SQLite", extra="all", needed=("sqlite3",), fast=("adbc_driver_sqlite",)),
    _Needs(product="DuckDB", extra="duckdb", needed=("duckdb", "duckdb_engine"), fast=()),
)


def examined(url: str | None = None) -> Iterator[Check]:
    """Check what is installed, and with a URL that database too."""
    yield _python()
    yield from _runtime()
    yield from _providers()
    yield from map(_installed, _DATABASES)
    if url is not None:
        yield from _database(url)


def _python() -> Check:
    found = f"sqlscore {_version('sqlscore')}, Python {platform.python_version()}"
    return Check(subject="sqlscore", state=State.GOOD, found=found)


def _runtime() -> Iterator[Check]:
    packages = runtime_packages(distributions())
    named = ", ".join(f"{name} {number}" for name, number in packages.items())
    if len(packages) > 1:
        yield Check(
            subject="ONNX Runtime",
            state=State.BAD,
            found=f"{named} are installed at once, and overwrite each other",
            remedy=f"keep one of them: pip uninstall -y {' '.join(packages)} "
            f"&& pip install {_most_able(packages)}",
        )
        return
    try:
        yield Check(
            subject="ONNX Runtime",
            state=State.GOOD,
            found=f"{named or 'of unknown version'}; providers: {', '.join(available())}",
        )
    except SqlscoreError as error:
        yield Check(subject="ONNX Runtime", state=State.BAD, found=str(error))


def _providers() -> Iterator[Check]:
    """Each execution provider: here, or what to install."""
    try:
        here = available()
    except SqlscoreError:  # said already
        return
    for name, provider in PROVIDERS.items():
        subject = f"provider {name}"
        if name in here:
            yield Check(subject=subject, state=State.GOOD, found=f"for {provider.runs_on}")
        else:
            found = f"not installed; for {provider.runs_on}"
            yield Check(subject=subject, state=State.ABSENT, found=found, remedy=install(provider))


def runtime_packages(installed: Iterable[Distribution]) -> dict[str, str]:
    """The packages that bring the module ``onnxruntime``, with their versions.

    There are several (-gpu, -openvino, …), pip installs them beside each other, and each overwrites
    files of the others.
    """
    found = {}
    for package in installed:
        name = (package.metadata["Name"] or "").lower().replace("_", "-")
        if name.startswith("onnxruntime") and any(
            file.parts[:2] == ("onnxruntime", "__init__.py") for file in package.files or ()
        ):
            found[name] = package.version
    return dict(sorted(found.items()))


def _most_able(packages: Iterable[str]) -> str:
    """The package that was probably wanted: the one that is not the plain one."""
    return next((name for name in packages if name != "onnxruntime"), "onnxruntime")


def _installed(needs: _Needs) -> Check:
    missing = _missing(needs.needed)
    slow = _missing(needs.fast)
    remedy = f"pip install 'sqlscore[{needs.extra}]'"
    if missing:
        found = f"not installed: {', '.join(missing)}"
        return Check(subject=needs.product, state=State.ABSENT, found=found, remedy=remedy)
    if slow:
        found = f"works without {', '.join(slow)}, which would make it faster"
        return Check(subject=needs.product, state=State.SLOW, found=found, remedy=remedy)
    found = ", ".join((*needs.needed, *needs.fast))
    return Check(subject=needs.product, state=State.GOOD, found=found)


def _missing(modules: Sequence[str]) -> list[str]:
    return [module for module in modules if find_spec(module) is None]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed, run from its source)"


def _database(url: str) -> Iterator[Check]:
    try:
        with connect(url) as database:
            yield _reached(database)
            for subject, look in _LOOKS.items():
                yield _looked(subject, look, database)
    except SqlscoreError as error:
        yield Check(subject="database", state=State.BAD, found=str(error))


def _reached(database: Database) -> Check:
    engine = database.engine
    with translated("connecting", url=engine.url), engine.connect() as connection:
        number = _server_version(connection)
    found = f"{database.product.name} {number} at {database.url}, by {engine.driver}"
    return Check(subject="database", state=State.GOOD, found=found)


def _server_version(connection: sa.Connection) -> str:
    """What the server says of itself, in short; SQLAlchemy's guess where it does not say."""
    try:
        said = str(connection.scalar(sa.text("SELECT version()")))
    except sa.exc.SQLAlchemyError:  # SQLite has no such function
        said = ".".join(map(str, connection.dialect.server_version_info or ()))
    number = re.search(r"\d+(\.\d+)+", said)
    return number[0] if number else "of unknown version"


def _looked(subject: str, look: Callable[[Database, str], Check], database: Database) -> Check:
    try:
        return look(database, subject)
    except SqlscoreError as error:
        return Check(subject=subject, state=State.BAD, found=str(error))


def _layout(database: Database, subject: str) -> Check:
    """Whether the tables that sqlscore owns are there, and known."""
    tables = owned_by(database.engine, schemas=database.product.schemas)
    with translated("looking for them", url=database.engine.url), database.engine.connect() as c:
        found = layout_version(c, tables)
    if found > LAYOUT:
        return Check(
            subject=subject,
            state=State.BAD,
            found=f"layout {found}, and this sqlscore knows layouts up to {LAYOUT}",
            remedy="pip install -U sqlscore",
        )
    if not found:
        return _may_make(database, subject, tables.layout.schema)
    older = f"; upgraded to layout {LAYOUT} when they are used next" if found < LAYOUT else ""
    return Check(subject=subject, state=State.GOOD, found=f"layout {found}{older}")


def _may_make(database: Database, subject: str, schema: str | None) -> Check:
    """Whether a table can be made, in a schema that may have to be made too."""
    table = sa.Table(
        f"sqlscore_doctor_{secrets.token_hex(4)}",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    make = sa.schema.CreateTable(table)
    with database.product.unit(database.engine, None) as unit:
        if schema is not None:
            unit.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        unit.execute(make)
        # leaving without a commit takes it back, where the product can take back DDL at all
    with translated("dropping it again", url=database.engine.url), database.engine.begin() as c:
        table.drop(c, checkfirst=True)
    return Check(subject=subject, state=State.GOOD, found="not there yet; they can be made")


def _targets(database: Database, subject: str) -> Check:
    made = _may_make(database, subject, None)
    return Check(subject=subject, state=made.state, found="new tables can be made")


def _overlap(database: Database, subject: str) -> Check:
    with translated("asking how it commits", url=database.engine.url):
        blocked = database.product.readers_block_commit(database.engine)
    if not blocked:
        found = "rows are read while predictions are written"
        return Check(subject=subject, state=State.GOOD, found=found)
    return Check(
        subject=subject,
        state=State.SLOW,
        found="a rollback journal: nothing is read while predictions are written",
        remedy="PRAGMA journal_mode = WAL, once, if all its users are on this machine",
    )


_LOOKS: dict[str, Callable[[Database, str], Check]] = {
    "sqlscore's tables": _layout,
    "targets": _targets,
    "reading and writing": _overlap,
}
