"""The databases that are measured: embedded ones in a file, servers started for it.

The servers are those of the tests, made to keep their promises again: what is committed is on the
disk, as it is with their default settings. Their memory holds the table, as a server's in use does:
with MariaDB's default of 128 MB each pass over a million rows would come from the disk.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from tests.fixtures import servers
from tests.fixtures.servers import KINDS, Kind, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: said after the tests' own settings, so these are the ones that hold
_IN_EARNEST = {
    "postgres": ["-c", "fsync=on", "-c", "full_page_writes=on", "-c", "shared_buffers=1GB"],
    "mariadb": [
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-doublewrite=1",
        "--innodb-log-file-size=256M",
        "--innodb-buffer-pool-size=1G",
    ],
}
NAMES = ("postgres", "mariadb", "sqlite", "duckdb")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One database."""

    name: str
    version: str
    url: str
    server: int | None  #: the server's process; None where there is none


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Place]:
    """A new database, with its server running if it has one; both gone afterwards.

    Raises `servers.Unavailable` where the server is not installed.
    """
    if name not in KINDS:
        library = sqlite3.sqlite_version if name == "sqlite" else version(name)
        file = folder / f"bench.{name}"
        yield Place(name=name, version=library, url=f"{name}:///{file}", server=None)
        return
    with ExitStack() as stack:
        server = servers.create(_in_earnest(KINDS[name]))
        stack.callback(server.remove)
        server.run("CREATE DATABASE bench")
        assert server.process is not None
        yield Place(
            name=name,
            version=servers.version(KINDS[name]),
            url=server.url("bench").render_as_string(hide_password=False),
            server=server.process.pid,
        )


def _in_earnest(kind: Kind) -> Kind:
    def command(server: Server) -> list[str]:
        return [*kind.command(server), *_IN_EARNEST[kind.name]]

    return dataclasses.replace(kind, command=command)
