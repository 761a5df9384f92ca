"""Transient errors: they pass by themselves, so the same is worth trying again a little later.

Facts of each product: the codes that say so, and the words of drivers that give no code because
the connection itself is what they lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlscore.errors import DatabaseError


@dataclass(frozen=True, kw_only=True, slots=True)
class Transient:
    """What a product says of troubles that pass."""

    codes: Mapping[str, str] = field(default_factory=dict)  #: SQLSTATE or number -> what it is
    words: Mapping[str, str] = field(default_factory=dict)  #: pattern -> what it is


NOTHING = Transient()  #: of a product that nobody described

#: words of sockets, and of the process that reads for us; whatever the product
_LOST = re.compile(
    r"connection refused|connection reset|connection timed out|broken pipe|unexpected eof"
    r"|closed the connection|connection is (closed|lost)|connection (was )?closed"
    r"|lost connection|gone away|the reading process ended",
    re.IGNORECASE,
)


def transient_cause(error: DatabaseError, facts: Iterable[Transient]) -> str | None:
    """What passes by itself in an error of one of the products; None: trying again is no use."""
    for fact in facts:
        if error.code in fact.codes:
            return fact.codes[error.code or ""]
        for words, reason in fact.words.items():
            if re.search(words, str(error)):
                return reason
    lost = any(_invalidated(cause) for cause in _causes(error)) or (
        error.code is None and _LOST.search(str(error))
    )
    return "the connection was lost" if lost else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _invalidated(error: BaseException) -> bool:
    """Whether SQLAlchemy found, with the driver's help, that the connection is gone."""
    return isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated


POSTGRES = Transient(
    codes={
        "40001": "serialization failure, or a standby's conflict with recovery",
        "40P01": "deadlock",
        "55P03": "a lock was not to be had in time",
        "57P01": "the server, or its administrator, ended the connection",
        "57P02": "the server crashed",
        "57P03": "the server is starting or stopping",
        "57P05": "the connection was idle for too long",
        "25P03": "the transaction was idle for too long",
        "53300": "the server has no connection left",
        "08000": "the connection failed",
        "08001": "the connection failed",
        "08003": "the connection failed",
        "08004": "the connection failed",
        "08006": "the connection failed",
    },
    words={  # PgBouncer's have the code of a protocol violation
        "server conn crashed|query_wait_timeout|pgbouncer cannot connect": "the pooler failed",
        "the database system is": "the server is starting or stopping",
    },
)
MYSQL = Transient(
    codes={
        "1020": "a row changed since it was read",
        "1040": "the server has no connection left",
        "1047": "the cluster's node is not ready",
        "1053": "the server is stopping",
        "1205": "a lock was not to be had in time",
        "1213": "deadlock",
        "1927": "the server, or its administrator, ended the connection",
        "2002": "the server is not there",
        "2003": "the server is not there",
        "2006": "the connection was lost",
        "2013": "the connection was lost",
        "4031": "the connection was idle for too long",
        "0": "the connection was lost",  # PyMySQL's own, for one that it has closed
    },
)
MSSQL = Transient(
    codes={
        "596": "the server, or its administrator, ended the connection",
        "1204": "the server has no lock left",
        "1205": "deadlock",
        "1222": "a lock was not to be had in time",
        "3960": "a row changed since the snapshot was taken",
        "3961": "a table changed since the snapshot was taken",
        "6005": "the server is stopping",
        "10928": "the server has no worker left",  # from here on Azure's
        "10929": "the server has no worker left",
        "40197": "the database moves to another node",
        "40501": "the server is busy",
        "40613": "the database is not available at the moment",
        "49918": "the server is busy",
        "49919": "the server is busy",
        "49920": "the server is busy",
        "08001": "the server is not there",
        "08S01": "the connection was lost",
        "HYT00": "the server did not answer in time",
    },
)
SQLITE = Transient(codes={"SQLITE_BUSY_SNAPSHOT": "the file was written since it was read"})
DUCKDB = Transient(
    words={"[Tt]ransaction conflict|[Cc]onflict on ": "another transaction was first"}
)
