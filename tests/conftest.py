"""What every test can ask for: one fresh database, of each product that was chosen.

`database` runs a test once on each product that `--database` chose. A product that cannot run here
skips with the reason, and fails where `SQLSCORE_REQUIRE` names it.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest

from tests.faults.killed import KILLS
from tests.fixtures import elsewhere, servers
from tests.fixtures.databases import (
    NAMES,
    Database,
    Shared,
    fresh_database,
    import_embedded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHARED = pytest.StashKey[Shared]()

# In CI the same cases are drawn each time: what a change breaks is then that change's doing.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    hypothesis.settings.load_profile("ci")


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database; the test runs once on each product that was chosen."""
    yield from _open(request.param, request, tmp_path)


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh PostgreSQL database."""
    yield from _open("postgres", request, tmp_path)


@pytest.fixture
def mariadb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh MariaDB database."""
    yield from _open("mariadb", request, tmp_path)


@pytest.fixture
def mssql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database of the SQL Server endpoint, over Microsoft's ODBC driver."""
    yield from _open("mssql", request, tmp_path)


@pytest.fixture(scope="module")
def shared_mssql(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The same for all tests of a module, which leave what they find there."""
    yield from _open("mssql", request, tmp_path_factory.mktemp("mssql"))


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite file."""
    yield from _open("sqlite", request, tmp_path)


@pytest.fixture
def duckdb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh DuckDB file."""
    yield from _open("duckdb", request, tmp_path)


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """A function that starts a server for this test alone, which may stop, restart and kill it.

    It takes a server product's name and gives a fresh database on it. With the embedded products'
    names it gives what `database` does.
    """
    with ExitStack() as stack:

        def start(name: str) -> Database:
            server = None
            if name in servers.KINDS:
                try:
                    server = elsewhere.given(name) or servers.create(servers.KINDS[name])
                except servers.Unavailable as reason:
                    _leave_out(name, reason)
                if not server.can_end:
                    pytest.skip(f"{name} is a server that the tests cannot stop and start")
                stack.callback(server.remove)
            return stack.enter_context(fresh_database(name, server, tmp_path))

        yield start


@pytest.fixture
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No other worker's test makes or drops roles, which are those of a whole server."""
    import fcntl

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "roles").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open(name: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    if name not in _chosen(request.config):
        pytest.skip(f"--database chose others than {name}")
    server = None
    try:
        if name in servers.KINDS:
            server = request.config.stash[SHARED].get(name)
        else:
            import_embedded(name)
    except servers.Unavailable as reason:
        _leave_out(name, reason)
    with fresh_database(name, server, folder) as database:
        yield database


def _leave_out(name: str, reason: servers.Unavailable) -> NoReturn:
    message = f"{name} cannot run here: {reason}"
    if name in os.environ.get("SQLSCORE_REQUIRE", "").replace(",", " ").split():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _chosen(config: pytest.Config) -> tuple[str, ...]:
    return tuple(config.getoption("--database")) or NAMES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        action="append",
        default=[],
        choices=NAMES,
        metavar="NAME",
        help=f"run on this database only, repeatable: {', '.join(NAMES)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    # With pytest-xdist the controller starts the servers and tells its workers where they are.
    config.stash[SHARED] = Shared(getattr(config, "workerinput", {}).get("servers"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    shared = node.config.stash[SHARED]
    if not shared.known():
        shared.start([name for name in _chosen(node.config) if name in servers.KINDS])
    node.workerinput["servers"] = shared.known()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SHARED].remove()


#: the modules whose tests run on the endpoint of SQL Server too, unless `--database mssql` asks
#: for all: the endpoint takes rows one by one
ON_THE_ENDPOINT = {
    "test_product", "test_product_catalogue", "test_product_reading", "test_modes", "test_registry",
    "test_statements", "test_statement_writes", "test_statement_errors", "test_bad_input",
    "test_operators", "test_flights",
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        names = _chosen(metafunc.config)
        module = metafunc.module.__name__.rpartition(".")[2]
        if module not in ON_THE_ENDPOINT and not metafunc.config.getoption("--database"):
            names = tuple(name for name in names if name != "mssql")
        metafunc.parametrize("database", names, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for mark in ("soak", "docker"):
        if mark not in config.getoption("markexpr"):
            left_out = [item for item in items if item.get_closest_marker(mark)]
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add to a test's report how many runs it killed; reports come from all workers."""
    if call.when == "call":
        item.user_properties.append(("kills", dict(KILLS)))
        KILLS.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    kills: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        kills.update(dict(report.user_properties).get("kills") or {})
    if kills:
        each = ", ".join(f"{name} {number}" for name, number in sorted(kills.items()))
        terminalreporter.write_line(
            f"killed {kills.total()} runs ({each}) in tests that passed: each target was whole"
        )


def pytest_report_header(config: pytest.Config) -> str:
    return "databases: " + ", ".join(f"{name} {_version(name)}" for name in _chosen(config))


_EMBEDDED_VERSIONS: dict[str, Callable[[], str]] = {
    "sqlite": lambda: sqlite3.sqlite_version,
    "duckdb": lambda: version("duckdb"),
}


def _version(name: str) -> str:
    if name in servers.KINDS:
        return elsewhere.where(name) or servers.version(servers.KINDS[name])
    try:
        return _EMBEDDED_VERSIONS[name]()
    except PackageNotFoundError:
        return "left out (not installed)"
