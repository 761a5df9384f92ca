"""What is installed: packages, execution providers, what databases need."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sqlscore.doctor.check import Check, State
from sqlscore.errors import SqlscoreError
from sqlscore.session import PROVIDERS, available, install

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """The modules that a database needs, and those that make it fast."""

    product: str
    extra: str
    needed: tuple[str, ...]
    fast: tuple[str, ...]


_DATABASES = (
    Needs(product="PostgreSQL", extra="postgres", needed=("psycopg",), fast=("connectorx", "pgpq")),
    Needs(product="MySQL, MariaDB", extra="mysql", needed=("pymysql",), fast=("connectorx",)),
    Needs(product="SQLite", extra="all", needed=("sqlite3",), fast=("adbc_driver_sqlite",)),
    Needs(product="DuckDB", extra="duckdb", needed=("duckdb", "duckdb_engine"), fast=()),
    Needs(product="SQL Server", extra="mssql", needed=("pyodbc",), fast=()),
)


def python() -> Check:
    """sqlscore and Python themselves."""
    found = f"sqlscore {_version('sqlscore')}, Python {platform.python_version()}"
    return Check(subject="sqlscore", state=State.GOOD, found=found)


def runtime() -> Iterator[Check]:
    """ONNX Runtime: one package, not several over each other."""
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


def providers() -> Iterator[Check]:
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


def databases() -> Iterator[Check]:
    """What each database needs in Python; SQL Server an ODBC driver, too."""
    for needs in _DATABASES:
        check = checked(needs)
        yield check
        if needs.extra == "mssql" and check.state is State.GOOD:
            yield _odbc_driver()


def checked(needs: Needs) -> Check:
    """Whether the modules that a database needs can be imported."""
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


def _odbc_driver() -> Check:
    subject, remedy = "SQL Server's ODBC driver", "install it: https://aka.ms/odbc18"
    try:
        import pyodbc
    except ImportError as error:  # of unixODBC's library
        return Check(subject=subject, state=State.ABSENT, found=str(error), remedy=remedy)
    drivers = pyodbc.drivers()
    found = [name for name in drivers if name.startswith("ODBC Driver")]
    if found:
        return Check(subject=subject, state=State.GOOD, found=", ".join(found))
    if "FreeTDS" in drivers:
        alone = "FreeTDS, which is tested less than Microsoft's"
        return Check(subject=subject, state=State.SLOW, found=alone, remedy=remedy)
    return Check(subject=subject, state=State.ABSENT, found="not installed", remedy=remedy)


def _missing(modules: Sequence[str]) -> list[str]:
    return [module for module in modules if find_spec(module) is None]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed, run from its source)"
