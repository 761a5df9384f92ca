"""The options that several commands share, and how their values are written.

A list is repeated or comma-separated (``--key a --key b``, ``--key a,b``), a pair is
``name=value``; a name that holds a comma or an equals sign stands in double quotes.
"""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from sqlscore.database import Database

File = Path  #: named here, since Typer looks at the types when it runs
Spec = Annotated[
    str, typer.Argument(metavar="MODEL", help="churn (the newest), churn:3 or churn@production.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="The ONNX file.")]

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="SQLSCORE_DB",
        metavar="URL",
        show_default=False,
        help="The database, as an SQLAlchemy URL.",
    ),
]
PrintSql = Annotated[bool, typer.Option("--print-sql", help="Print what would be run; run none.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the trace of an error too.")]
Features = Annotated[
    list[str] | None,
    typer.Option(metavar="NAMES", help="Names of the features, where the model does not say."),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="NAME=OUTPUT",
        help="Name a prediction: --output 'score=probabilities[1]'.",
    ),
]
Drop = Annotated[list[str] | None, typer.Option(metavar="OUTPUTS", help="Outputs to leave out.")]
Provider = Annotated[
    str,
    typer.Option(metavar="NAME", help="Where ONNX Runtime runs: cpu, cuda, openvino, …, or auto."),
]
ProviderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--provider-option",
        metavar="NAME=VALUE",
        help="An option of the provider, in ONNX Runtime's words: device_type=GPU.",
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(metavar="FEATURE=COLUMN", help="Feed a feature from another column."),
]
Null = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FEATURE=POLICY",
        help="What NULL means: auto, error, nan, null, or a value to take instead.",
    ),
]

Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAMES",
        help="Leave out: projection, folding, pruning, thresholds, statistics.",
    ),
]
Route = Annotated[
    str,
    typer.Option(
        metavar="ROUTE", help="Where models run: bridge (here), push-down (as SQL), or auto."
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FEATURE=POLICY",
        help="Numbers that the model's type does not hold: exact, safe or lossy; for all features, "
        "or age=exact.",
    ),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="INPUT=VALUE",
        help="The value of an input that no column feeds: threshold=0.5, or JSON.",
    ),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="INPUT=SIZES",
        help="Sizes that the model leaves open: image=3,224,224.",
    ),
]

Where = Annotated[
    str | None,
    typer.Option(metavar="CONDITION", help="Only these rows of the source: \"region = 'EU'\"."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A value for :NAME in --where."),
]


def names(values: Sequence[str] | None) -> tuple[str, ...]:
    """The names in repeated or comma-separated values."""
    rows = csv.reader(values or (), skipinitialspace=True)
    return tuple(name.strip() for row in rows for name in row if name.strip())


def pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """The pairs in values such as ``name=value``."""
    found = {}
    for value in values or ():
        parts = re.fullmatch(r'"((?:[^"]|"")+)"=(.*)|([^=]+)=(.*)', value, re.DOTALL)
        if parts is None:
            raise typer.BadParameter(f"{option} takes NAME=VALUE, not {value!r}")
        quoted, after_quoted, bare, after_bare = parts.groups()
        name = quoted.replace('""', '"') if quoted is not None else bare.strip()
        found[name] = after_quoted if quoted is not None else after_bare
    return found


def types(values: Sequence[str] | None) -> dict[str, str]:
    """Policies of types in values such as ``lossy`` (for every feature) and ``age=exact``."""
    written = [value if "=" in value else f"*={value}" for value in values or ()]
    return {name: rule.strip() for name, rule in pairs(written, "--types").items()}


def renames(values: Sequence[str] | None) -> dict[str, str]:
    """The pairs in values such as ``name=value``, where a name alone stands for itself."""
    found = {}
    for value in values or ():
        name, equals, other = value.partition("=")
        found[name.strip()] = other.strip() if equals else name.strip()
    return found


def constants(values: Sequence[str] | None) -> dict[str, object]:
    """Values of inputs: JSON (``0.5``, ``[1, 2]``), or the text itself where it is none."""
    found: dict[str, object] = {}
    for name, text in pairs(values, "--constant").items():
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def shapes(values: Sequence[str] | None) -> dict[str, list[int]]:
    """The sizes in values such as ``image=3,224,224``."""
    found = {}
    for name, text in pairs(values, "--shape").items():
        sizes = text.split(",")
        if not all(size.strip().isdecimal() for size in sizes):
            raise typer.BadParameter(f"--shape takes INPUT=SIZES (image=3,224,224), not {text!r}")
        found[name] = [int(size) for size in sizes]
    return found


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(value: str | None, option: str) -> timedelta | None:
    """A length of time such as ``30s``, ``5m``, ``1h30m`` or ``90d``."""
    if value is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        known = "30s, 5m, 1h30m or 90d"
        raise typer.BadParameter(f"{option} takes a time such as {known}, not {value!r}")
    return sum((timedelta(**{_UNITS[u]: float(n)}) for n, u in parts), timedelta())


_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def size(value: str | None, option: str) -> int | None:
    """A number of bytes such as ``400MB`` or ``1.5GiB``."""
    if value is None:
        return None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", value.strip(), re.IGNORECASE)
    if parts is None or parts[2].upper() not in _SIZES:
        raise typer.BadParameter(f"{option} takes a size such as 400MB or 2GiB, not {value!r}")
    return int(float(parts[1]) * _SIZES[parts[2].upper()])


def opened(
    db: str | sa.URL | None, schema: str | None = None, *, connections: int | None = None
) -> Database:
    """The database that the options name, as a context manager."""
    if not db:
        raise typer.BadParameter(
            "no database: give --db URL or set SQLSCORE_DB, "
            "for example sqlite:///scores.db or postgresql://user@host/name"
        )
    from sqlscore.database import connect

    return connect(db, schema=schema, connections=connections)
