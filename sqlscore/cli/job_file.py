"""A job file, ``sqlscore.toml``: its databases and jobs, and all that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from sqlscore.cli import job_lines, job_options, scoring
from sqlscore.cli.job_databases import NamedDatabase
from sqlscore.errors import SqlscoreError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import sqlalchemy as sa

    from sqlscore.products.product import Product

_TABLES = ("databases", "jobs")
_OF_A_DATABASE = ("url", "password_file")
#: words of a job that name a database of the file, or are a URL
_PLACES = ("database", "source_db", "target_db")
#: an argument's name in a message -> the word of a job
_OF_PYTHON = {"params": "param"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    path: tuple[str, ...]  #: of the table or the key: ``("jobs", "nightly", "mode")``
    line: int  #: 0: the file as a whole
    message: str


@dataclass(kw_only=True)
class JobFile:
    """What a job file holds; `problems` is empty where all of it can be used."""

    path: Path
    databases: dict[str, NamedDatabase] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)  #: options as typed, and places
    problems: list[Problem] = field(default_factory=list)

    def named(self, names: Sequence[str]) -> list[str]:
        """These names, of which each has its table. Raises `SqlscoreError` for any other.

        So does what is wrong with the file as a whole.
        """
        for name in names:
            if name not in self.jobs and not self.problems_of(("jobs", name)):
                raise SqlscoreError(
                    f"{self.path} has no job {name!r}.{nearest(name, self.jobs)} There are: "
                    f"{', '.join(self.jobs) or 'none'}"
                )
        self._refuse(p for p in self.problems if len(p.path) < 2)
        return list(names)

    def job(self, name: str) -> dict[str, Any]:
        """The job of this name. Raises `SqlscoreError` for what is wrong with it."""
        places = sorted(self._databases_of(name))
        mine = [("jobs", name), *(("databases", place) for place in places)]
        self._refuse(p for path in mine for p in self.problems_of(path))
        return self.jobs[name]

    def _refuse(self, problems: Iterable[Problem]) -> None:
        if said := self.said(problems):
            raise SqlscoreError("\n".join(said))

    def url(self, place: str) -> str | sa.URL:
        """Where a database of this name is; a URL is one itself."""
        return self.databases[place].resolved() if place in self.databases else place

    def said(self, problems: Iterable[Problem]) -> list[str]:
        """Each problem as a line: file, line, what."""
        ordered = sorted(problems, key=lambda p: p.line)
        return [f"{self.path}:{p.line or 1}: {p.message}" for p in ordered]

    def problems_of(self, path: tuple[str, ...]) -> list[Problem]:
        """What is wrong with a table and what is in it."""
        return [p for p in self.problems if p.path[:2] == path]

    def _databases_of(self, name: str) -> set[str]:
        job = self.jobs.get(name, {})
        return {job[word] for word in _PLACES if job.get(word) in self.databases}


def read(path: Path) -> JobFile:
    """The file with its problems. Raises `SqlscoreError` where there is none, or no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SqlscoreError(f"there is no job file to read at {path}: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        last = len(text.splitlines())
        raise SqlscoreError(f"{path}:{place[1] if place else last}: {error}") from error
    return _Reading(path, job_lines.lines(text)).read(values)


class _Reading:
    """Goes through a file's values and notes what is wrong with them."""

    def __init__(self, path: Path, lines: Mapping[tuple[str, ...], int]) -> None:
        self._lines = lines
        self._file = JobFile(path=path)

    def read(self, values: Mapping[str, Any]) -> JobFile:
        for name, value in values.items():
            if name not in _TABLES:
                self._unknown((name,), _TABLES, "a job file has")
            elif not isinstance(value, dict):
                self._wrong((name,), f"{name} is a table of tables: [{name}.NAME]")
        for name, given in _tables(values, "databases"):
            self._database(name, given)
        for name, given in _tables(values, "jobs"):
            self._job(name, given)
        if not self._file.jobs and not self._file.problems:
            self._wrong((), "there is no job in it: a table [jobs.NAME]")
        return self._file

    def _database(self, name: str, given: object) -> None:
        path = ("databases", name)
        if not isinstance(given, dict):
            return self._wrong(path, f"a database is a table: [databases.{name}]")
        for word, value in given.items():
            if word not in _OF_A_DATABASE:
                self._unknown((*path, word), _OF_A_DATABASE, "a database has")
            elif not isinstance(value, str):
                return self._wrong((*path, word), f"{word} takes a text, not {value!r}")
        if "url" not in given:
            return self._wrong(path, f"database {name!r} has no url")
        found = NamedDatabase(
            url=given["url"],
            password_file=given.get("password_file"),
            folder=self._file.path.parent,
        )
        self._file.databases[name] = found
        try:
            found.resolved()
        except SqlscoreError as error:
            self._wrong((*path, "url"), str(error))
        return None

    def _job(self, name: str, given: object) -> None:
        path = ("jobs", name)
        if not isinstance(given, dict):
            return self._wrong(path, f"a job is a table: [jobs.{name}]")
        words, job = job_options.table(), dict(job_options.defaults())
        job |= {word: self._value((*path, word), value) for word, value in given.items()}
        for word, option in words.items():
            if option.needed and word not in given:
                self._wrong(path, f"job {name!r} has no {word}")
        if "database" not in given:
            job["database"] = self._only_database(path)
        self._file.jobs[name] = {**job, "name": job["name"] or name}
        self._together(path, given)
        return None

    def _together(self, path: tuple[str, ...], given: Mapping[str, object]) -> None:
        """Note what is wrong with words that are right one by one, at the word that it is about."""
        from sqlscore.jobs import slices

        values = self._file.jobs[path[-1]]
        job, product = scoring.job(values), self._product(values["source_db"] or values["database"])
        checks: list[Callable[[], None]] = []
        if not self._file.problems_of(path):  # a word that is not known may be the one that lacks
            checks.append(partial(slices.check, job))
        if product is not None:
            checks.append(partial(slices.check_texts, job, product))
        for check in checks:
            try:
                check()
            except SqlscoreError as error:
                named = (_OF_PYTHON.get(w, w) for w in re.findall(r"(\w+)=", str(error)))
                word = next((word for word in named if word in given), None)
                self._wrong((*path, word) if word else path, str(error))

    def _product(self, place: str | None) -> Product | None:
        """The product of a database of the file, or of a URL; None where it is not known here."""
        from sqlscore.products import product_named

        found = self._file.databases.get(place or "")
        if place is None or (found and self._file.problems_of(("databases", place))):
            return None
        return product_named(found.resolved() if found else place)

    def _value(self, path: tuple[str, ...], value: object) -> Any:
        """What one word of a job says; None, with the problem noted, where it says nothing."""
        words, word = job_options.table(), path[-1]
        if word in _PLACES:
            return self._place(path, value)
        if word in words:
            return self._typed(path, words[word], value)
        if word in job_options.OF_A_CALL:
            return self._wrong(path, f"{word} belongs to a command, and not to a job")
        return self._unknown(path, ("database", *words), "a job has")

    def _typed(self, path: tuple[str, ...], option: job_options.Option, value: object) -> Any:
        try:
            return job_options.as_typed(option, value)
        except (SqlscoreError, typer.BadParameter) as error:
            on_the_command_line = f"--{option.name.replace('_', '-')}"
            self._wrong(path, str(error).replace(on_the_command_line, option.name))
            return option.default

    def _place(self, path: tuple[str, ...], value: object) -> str | None:
        if not isinstance(value, str):
            self._wrong(path, f"{path[-1]} takes a database's name, not {value!r}")
            return None
        if value not in self._file.databases and "://" not in value:
            there = ", ".join(self._file.databases) or "none"
            near = nearest(value, self._file.databases)
            self._wrong(path, f"there is no database {value!r}.{near} There are: {there}")
            return None
        return value

    def _only_database(self, path: tuple[str, ...]) -> str | None:
        """The one database of the file; of none, the command line must name one."""
        names = list(self._file.databases)
        if len(names) > 1:
            self._wrong(path, f"which database? Say database = one of: {', '.join(names)}")
        return names[0] if len(names) == 1 else None

    def _unknown(self, path: tuple[str, ...], known: Sequence[str], where: str) -> None:
        word = path[-1]
        near = nearest(word, known) or f" {where}: {', '.join(known)}"
        self._wrong(path, f"there is no word {word!r}.{near}")

    def _wrong(self, path: tuple[str, ...], message: str) -> None:
        line = next((n for i in range(len(path), 0, -1) if (n := self._lines.get(path[:i]))), 0)
        self._file.problems.append(Problem(path=path, line=line, message=message))


def _tables(values: Mapping[str, Any], name: str) -> Iterable[tuple[str, object]]:
    found = values.get(name)
    return found.items() if isinstance(found, dict) else ()
