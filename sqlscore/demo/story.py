"""What the demo does: a model added, bound, scored, checked, and asked by a statement."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.database import connect
from sqlscore.demo.penguins import DATA, MODEL, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlscore.database import Database

_LOOK = """\
SELECT p.id, p.island, p.sex, p.body_mass_g, p.species, g.guess
FROM penguins AS p JOIN guesses AS g ON g.id = p.id
WHERE p.id IN (1, 4, 165, 276, 306) ORDER BY p.id"""

_CHECK = """\
SELECT count(*) AS held_out, count(g.guess) AS guessed,
  sum(CASE WHEN g.guess = p.species THEN 1 ELSE 0 END) AS right_ones
FROM penguins AS p JOIN guesses AS g ON g.id = p.id WHERE p.id % 4 = 0"""

_FIRST = """\
SELECT id, island, bill_length_mm, body_mass_g, sex, species FROM penguins
WHERE id < 6 ORDER BY id"""

_COUNT = "SELECT count(*) AS table_rows, count(guess) AS guesses FROM guesses"

_PREDICT = """\
SELECT d.island, p.guess, COUNT(*) AS penguins, MAX(d.body_mass_g) AS heaviest
FROM PREDICT(MODEL = penguins, DATA = penguins AS d, RUNTIME = ONNX) AS p
WHERE p.guess IS NOT NULL
GROUP BY d.island, p.guess ORDER BY d.island, p.guess"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """How the guesses compare with the known species, on rows that the training never saw."""

    held_out: int  #: rows
    guessed: int  #: rows with a guess; the others have a NULL that the model cannot take
    right: int

    @property
    def share(self) -> float:
        """The right guesses of all guesses."""
        return self.right / self.guessed


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the story."""

    title: str
    shell: str | None = None  #: the command that does the same
    python: str | None = None  #: and the line of Python
    sql: str | None = None  #: or the query
    result: Any  #: Version, Bound, Run, Accuracy or `pyarrow.Table`


def told(folder: Path, url: str | None = None) -> Iterator[Step]:
    """Go through the story; its files are in `folder`, its tables in the database of `url`.

    Without a URL the database is the SQLite file ``penguins.db`` in the folder. A second time over
    the same tables gives the same. Raises DatabaseError where a table ``penguins`` is there that
    is not the demo's.
    """
    for file in (MODEL, DATA):
        shutil.copyfile(file, folder / file.name)
    with connect(url or f"sqlite:///{folder.absolute() / 'penguins.db'}") as db:
        fill(db.engine)
        yield Step(
            title="344 penguins in a table, some with NULLs",
            sql=_FIRST,
            result=_queried(db.engine, _FIRST),
        )
        yield from _scored(db, folder / MODEL.name)
        yield from _checked(db)


def _scored(db: Database, model: Path) -> Iterator[Step]:
    yield Step(
        title="Add a model: it is checked, and kept in the database",
        shell="sqlscore model add penguins penguins.onnx --alias production",
        python='db.models.add("penguins", "penguins.onnx", alias="production")',
        result=db.models.add("penguins", model, alias="production"),
    )
    yield Step(
        title="See which column would feed what, before anything is scored",
        shell="sqlscore model show penguins --for penguins",
        python='db.bind("penguins", source="penguins")',
        result=db.bind("penguins", source="penguins"),
    )
    yield Step(
        title="Score: rows in, predictions out",
        shell="sqlscore score penguins@production --source penguins --target guesses",
        python='db.score("penguins@production", source="penguins", target="guesses")',
        result=db.score("penguins@production", source="penguins", target="guesses"),
    )
    yield Step(
        title="The predictions are a table like any other",
        sql=_LOOK,
        result=_queried(db.engine, _LOOK),
    )


def _checked(db: Database) -> Iterator[Step]:
    (checked,) = _queried(db.engine, _CHECK).to_pylist()
    yield Step(
        title="Right? Against the known species of rows held out of training",
        sql=_CHECK,
        result=Accuracy(
            held_out=checked["held_out"],
            guessed=checked["guessed"],
            right=int(checked["right_ones"]),  # a decimal on MySQL
        ),
    )
    yield Step(
        title="Again, and what NULL means is yours to say: no row is doubled",
        shell="sqlscore score penguins@production --source penguins --target guesses \\\n"
        "    --null sex=unknown",
        python='db.score("penguins@production", source="penguins", target="guesses",\n'
        '         nulls={"sex": "unknown"})',
        result=db.score(
            "penguins@production", source="penguins", target="guesses", nulls={"sex": "unknown"}
        ),
    )
    yield Step(
        title="344 rows, and now a guess for each", sql=_COUNT, result=_queried(db.engine, _COUNT)
    )
    yield Step(
        title="Or in the statement that asks: T-SQL's PREDICT, on this database",
        shell=f'sqlscore sql "{_PREDICT}"',
        result=db.sql(_PREDICT).to_arrow(),
    )


def _queried(engine: sa.Engine, query: str) -> pa.Table:
    with engine.connect() as connection:
        found = connection.execute(sa.text(query))
        records = [dict(row) for row in found.mappings()]
    return pa.Table.from_pylist(records)
