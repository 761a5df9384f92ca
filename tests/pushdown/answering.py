"""ClickHouse or Spark: tables come in as files of Parquet, rows of queries go out as Arrow's.

Runs in `.venv-dialects` (tests/setup_dialects.sh), and imports nothing of ours. Each line of its
input is a JSON object; an empty line of output says that it is done, another one why not.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol

from pyarrow import feather


class Engine(Protocol):
    """What answers."""

    def store(self, table: str, file: str) -> None:
        """Take the rows of a file, in place of a table of that name."""

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""

    def ask(self, query: str, file: str) -> None:
        """Write a query's rows to a file."""


class ClickHouse:
    """As a library."""

    def __init__(self) -> None:
        from chdb import session

        self._session = session.Session()

    def store(self, table: str, file: str) -> None:
        self.run(f"DROP TABLE IF EXISTS {table}")
        self.run(f"CREATE TABLE {table} ENGINE = Memory AS SELECT * FROM file('{file}', Parquet)")

    def run(self, statement: str) -> None:
        self._session.query(statement)

    def ask(self, query: str, file: str) -> None:
        Path(file).write_bytes(self._session.query(query, "Arrow").bytes())


class Spark:
    """On this machine's cores."""

    def __init__(self) -> None:
        from pyspark.sql import SparkSession

        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": "-Xss64m",  # a model's expression is deep
        }
        self._spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
        self._spark.sparkContext.setLogLevel("OFF")

    def store(self, table: str, file: str) -> None:
        self.run(f"DROP TABLE IF EXISTS {table}")
        self._spark.read.parquet(file).write.saveAsTable(table)

    def run(self, statement: str) -> None:
        self._spark.sql(statement)

    def ask(self, query: str, file: str) -> None:
        feather.write_feather(self._spark.sql(query).toArrow(), file)


ENGINES: dict[str, type[Engine]] = {"clickhouse": ClickHouse, "spark": Spark}


def main(name: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the engines print is no answer
    engine = ENGINES[name]()
    print(flush=True, file=answers)
    for line in sys.stdin:
        print(_done(engine, json.loads(line)), flush=True, file=answers)


def _done(engine: Engine, order: dict[str, Any]) -> str:
    try:
        if "table" in order:
            engine.store(order["table"], order["file"])
        elif "statement" in order:
            engine.run(order["statement"])
        else:
            engine.ask(order["query"], order["file"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the test says it
        return " ".join(str(error).split())[:2000] or repr(error)
    return ""


if __name__ == "__main__":
    main(sys.argv[1])
