"""ClickHouse and Spark, which sqlscore compiles for and does not connect to: each in a process."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-dialects" / "bin" / "python"
NEEDS = {"clickhouse": (), "spark": ("java",)}  #: name -> programs


class WentWrongError(Exception):
    """What the database says of a statement."""


@dataclass(frozen=True, kw_only=True)
class Holds:
    """What its columns hold."""

    nan: bool = True
    infinity: bool = True
    arrays: bool = False  #: of the names that the tests know


@dataclass(frozen=True, kw_only=True)
class Library:
    """One of them, running in a process of its own."""

    name: str  #: its dialect
    folder: Path
    given: IO[str]
    answers: IO[str]
    product: Holds = Holds()

    def store(self, table: str, rows: dict[str, pa.Array]) -> None:
        """Rows in a table."""
        file = self.folder / f"{table}.parquet"
        pq.write_table(pa.table(rows), file)
        self.tell(table=table, file=str(file))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """A query's rows."""
        file = self.folder / "answer.arrow"
        self.tell(query=query, file=str(file))
        return list(zip(*feather.read_table(file).to_pydict().values(), strict=True))

    def tell(self, **order: str) -> None:
        """Have it do something."""
        print(json.dumps(order), file=self.given, flush=True)
        self.listen()

    def listen(self) -> None:
        """Wait until it is done."""
        line = self.answers.readline()
        if line != "\n":
            raise WentWrongError(line.strip() or f"{self.name} ended")


def missing(name: str) -> str | None:
    """Why it cannot run here; None where it can."""
    if not (PYTHON.parents[1] / "installed").exists():
        return "there is no .venv-dialects: run tests/setup_dialects.sh"
    absent = [program for program in NEEDS[name] if shutil.which(program) is None]
    return f"there is no {absent[0]}" if absent else None


@contextmanager
def running(name: str, folder: Path) -> Iterator[Library]:
    """One of them; it ends with its input."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("answering.py")), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            place = Library(name=name, folder=folder, given=process.stdin, answers=process.stdout)
            place.listen()
            yield place
        finally:
            process.stdin.close()
            process.wait(60)
