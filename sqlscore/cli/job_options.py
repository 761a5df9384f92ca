"""The words of a job in a job file: the options of ``sqlscore score``, read off that command.

There is one table of options, the command's own parameters, so the two cannot drift apart. A value
is written as TOML has it (a list, a table, true) or as the command line has it (a text); both
become what the command line would have given.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import typer

from sqlscore.cli import scoring

if TYPE_CHECKING:
    from collections.abc import Mapping

#: parameters of the command that are about this one call of it, and no part of a job
OF_A_CALL = ("db", "as_json", "verbose", "log", "dry_run", "limit", "restart", "abandon")


class Kind(StrEnum):
    """What a word takes, in the words of a message."""

    FLAG = "true or false"
    NUMBER = "a number"
    WHOLE = "a whole number"
    TEXT = "a text"
    LIMIT = "a number, or a text such as 1%"
    NAMES = "a name or a list of names"
    PAIRS = "a table such as {name = value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One word of a job."""

    name: str
    kind: Kind
    default: Any
    needed: bool
    least: float | None  #: of a number


@cache
def table() -> dict[str, Option]:
    """Every word of a job, by name."""
    hints = get_type_hints(scoring.score, include_extras=True)
    parameters = inspect.signature(scoring.score).parameters
    return {
        name: Option(
            name=name,
            kind=_kind(*get_args(hints[name])),
            default=None if parameter.default is parameter.empty else parameter.default,
            needed=parameter.default is parameter.empty or name == "target",
            least=get_args(hints[name])[1].min,
        )
        for name, parameter in parameters.items()
        if name not in OF_A_CALL
    }


def _kind(type_: Any, info: Any) -> Kind:
    types = set(get_args(type_) or (type_,))
    if bool in types:
        return Kind.FLAG
    if types & {int, float}:
        return Kind.NUMBER if float in types else Kind.WHOLE
    if list[str] not in types and type_ != list[str]:
        return Kind.LIMIT if info.metavar == "LIMIT" else Kind.TEXT
    return Kind.PAIRS if "=" in (info.metavar or "") else Kind.NAMES


def as_typed(option: Option, value: object) -> Any:
    """A value of the file as the command line would have given it.

    Raises `typer.BadParameter` or a `SqlscoreError` with what is wrong with it.
    """
    typed = _AS_TYPED[option.kind](value)
    if typed is None:
        raise typer.BadParameter(f"{option.name} takes {option.kind}, not {value!r}")
    least = option.least
    if least is not None and isinstance(typed, int | float) and typed < least:
        raise typer.BadParameter(f"{option.name} takes {least} or more, not {value!r}")
    scoring.arguments({**defaults(), option.name: typed})  # the command says what is wrong with it
    return typed


def defaults() -> Mapping[str, Any]:
    """What the command takes for each option that is not given."""
    given = {name: option.default for name, option in table().items()}
    return {**given, "models": [], "source": "", "restart": False, "abandon": False}


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _limit(value: object) -> str | float | None:
    return _text(value) if isinstance(value, str) else _number(value)


def _names(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [value] if value.strip() else None
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [_quoted(item, ",") for item in value]
    return None


def _pairs(value: object) -> list[str] | None:
    if isinstance(value, dict) and all(isinstance(v, _WRITTEN) for v in value.values()):
        return [f"{_quoted(name, '=')}={_written(item)}" for name, item in value.items()]
    return _names(value) if isinstance(value, str) else None


#: what stands behind the = of a pair; TOML has dates and times of its own
_WRITTEN = (str, int, float, date, time)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(name: str, separator: str) -> str:
    """A name as the command line takes it where it holds the separator of names or pairs."""
    return '"' + name.replace('"', '""') + '"' if set(name) & {separator, '"'} else name


_AS_TYPED = {
    Kind.FLAG: _flag,
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.TEXT: _text,
    Kind.LIMIT: _limit,
    Kind.NAMES: _names,
    Kind.PAIRS: _pairs,
}
