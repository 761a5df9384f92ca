"""What tables there are: the one description, from which each layout's step follows.

A table or a column says in which layout it came (`since`); without a word it is as old as layout 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql

from sqlscore.tables.schema import where_named

SINCE = "since"  #: where a table's or a column's `info` holds the layout that it came in

_BINARY = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_MSSQL_BINARY = "Latin1_General_100_BIN2"
TextType = TypeVar("TextType", sa.String, sa.Text)
_INNODB: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def _name(length: int = 190) -> sa.String:
    """A short text that tells upper from lower case on every product, and can be a key."""
    return _text_type(sa.String(length), mysql.VARCHAR(length, **_BINARY), length)


def _text() -> sa.Text:
    return _text_type(sa.Text(), mysql.LONGTEXT(**_BINARY), None)


def _text_type(plain: TextType, in_mysql: sa.types.TypeEngine[str], length: int | None) -> TextType:
    """Of no code page, and compared byte by byte, where a database's own collation would not."""
    made = plain.with_variant(in_mysql, "mysql", "mariadb")
    return made.with_variant(mssql.NVARCHAR(length, collation=_MSSQL_BINARY), "mssql")


def _time() -> sa.DateTime:
    made = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    precise: Any = mssql.DATETIME2  # it carries no types
    return made.with_variant(precise(6), "mssql")


def _bytes() -> sa.LargeBinary:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _count() -> sa.BigInteger:
    return sa.BigInteger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The owned tables of one database."""

    metadata: sa.MetaData
    prefix: str  #: of every name; empty where they have a schema of their own
    layout: sa.Table  #: one row: the layout's number
    models: sa.Table  #: one row a version
    model_parts: sa.Table  #: the bytes of a model, by sha256, in parts
    examples: sa.Table  #: what a version gave for its author's rows; some of these rows
    measures: sa.Table  #: how far an execution provider is from the CPU for a version, and how fast
    aliases: sa.Table  #: ``production`` of a name is this version
    alias_changes: sa.Table  #: every move of an alias: who, when, where to
    runs: sa.Table  #: one execution of a job, with all that a resume needs
    ranges: sa.Table  #: the key ranges of a run; `done_at` is the mark
    leases: sa.Table  #: who may write a target now
    quarantine: sa.Table  #: the rows that a run could not score: key and reason
    watermarks: sa.Table  #: how far an incremental job got
    costs: sa.Table  #: what things cost in this database, as measured: the planner's constants
    routines: sa.Table  #: views and procedures over PREDICT, which no database could keep


@cache
def owned(*, schemas: bool, schema: str = "sqlscore") -> Tables:
    """The owned tables of a product with schemas, or without: then they have that prefix."""
    place, prefix = where_named(schema, schemas=schemas)
    metadata = sa.MetaData(schema=place)

    def table(name: str, *columns: sa.Column[Any], since: int = 1) -> sa.Table:
        return sa.Table(f"{prefix}{name}", metadata, *columns, info={SINCE: since}, **_INNODB)

    def key(name: str, type_: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
        return sa.Column(name, type_, primary_key=True, autoincrement=False)

    def column(
        name: str, type_: sa.types.TypeEngine[Any], *, nullable: bool = False, since: int = 1
    ) -> sa.Column[Any]:
        return sa.Column(name, type_, nullable=nullable, info={SINCE: since})

    return Tables(
        metadata=metadata,
        prefix=prefix,
        layout=table("layout", key("version", sa.Integer()), column("applied_at", _time())),
        models=table(
            "models",
            key("name", _name()),
            key("version", sa.Integer()),
            column("sha256", _name(64)),
            column("bytes", _count()),
            column("options", _text()),  # JSON: features, outputs, drop, as the caller gave them
            column("signature", _text()),  # JSON: for people; `numeric` for functions inside
            column("proof", _text()),  # JSON: what was proved at add, and how the model runs
            column("created_at", _time()),
            column("removed_at", _time(), nullable=True),  # the row stays: no number comes twice
            column("runs", _name(64), nullable=True, since=2),  # sha256 of the bytes that run
        ),
        model_parts=table(
            "model_parts",
            key("sha256", _name(64)),
            key("part", sa.Integer()),
            column("bytes", _bytes()),
        ),
        examples=table(
            "examples",
            key("name", _name()),
            key("version", sa.Integer()),
            column("summary", _text()),  # JSON: rows, tolerance, largest difference, …
            column("kept", _bytes()),  # features and expected predictions, an Arrow IPC stream
            since=2,
        ),
        measures=table(
            "measures",
            key("name", _name()),
            key("version", sa.Integer()),
            key("provider", _name(16)),
            column("found", _text()),  # JSON: largest difference, speed, or why it was refused
            column("measured_at", _time()),
            since=2,
        ),
        aliases=table(
            "aliases",
            key("name", _name()),
            key("alias", _name()),
            column("version", sa.Integer()),
            column("changed_at", _time()),
        ),
        alias_changes=table(
            "alias_changes",
            key("name", _name()),
            key("alias", _name()),
            key("number", sa.Integer()),  # in the order of the changes, from 1
            column("version", sa.Integer(), nullable=True),  # NULL: taken away
            column("changed_at", _time()),
            column("database_user", _name(), nullable=True),
            column("system_user", _name(), nullable=True),  # user@host
            since=2,
        ),
        runs=table(
            "runs",
            key("id", _name(32)),
            column("job", _name()),
            column("status", _name(16)),  # as jobs.status.Status has it
            column("source", _text()),
            column("target", _text()),
            column("plan", _text()),  # JSON: what a resume needs to go on as it began
            column("rows", _count()),
            column("counts", _text()),  # JSON: NULL, NaN, ±inf per feature and prediction
            column("error", _text(), nullable=True),
            column("owner", _name()),  # host and process
            column("started_at", _time()),
            column("finished_at", _time(), nullable=True),
        ),
        ranges=table(
            "ranges",
            key("run", _name(32)),
            key("ordinal", sa.Integer()),
            column("low", _text(), nullable=True),  # JSON: first key in it; NULL: no bound
            column("high", _text(), nullable=True),  # JSON: first key past it; NULL: no bound
            column("rows", _count(), nullable=True),  # rows scored, once it is done
            column("counts", _text(), nullable=True),
            column("done_at", _time(), nullable=True),
        ),
        quarantine=table(
            "quarantine",
            key("run", _name(32)),
            key("ordinal", sa.Integer()),  # of the range, whose unit writes it
            key("number", sa.Integer()),  # of the row among the range's bad ones
            column("row_key", _text()),  # JSON: the key's columns and values, and no other
            column("model", _name()),  # the exact version that refused the row
            column("name", _text(), nullable=True),  # feature or prediction; NULL: the whole model
            column("reason", _text()),
            column("noted_at", _time()),
            since=2,
        ),
        leases=table(
            "leases",
            key("target", _name()),
            column("run", _name(32)),
            column("owner", _name()),
            column("token", _name(32)),
            column("acquired_at", _time()),
            column("heartbeat", _time()),
        ),
        watermarks=table(
            "watermarks",
            key("job", _name()),
            column("high", _text()),  # JSON: the largest watermark that is scored
            column("run", _name(32)),
            column("updated_at", _time()),
        ),
        costs=table(
            "costs",
            key("name", _name(32)),
            column("value", sa.Double()),  # seconds; of `parallel` a ratio
            column("measured_at", _time()),
            since=2,
        ),
        routines=table(
            "routines",
            key("kind", _name(16)),  # view, procedure
            key("name", _name()),  # in lower case; with its schema, unless that is dbo
            column("dialect", _name(16)),  # of the text: tsql, bigquery, oracle
            column("text", _text()),  # the statement that created it
            column("created_at", _time()),
            since=2,
        ),
    )
