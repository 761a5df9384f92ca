"""Where a row's predictions come from: columns with model, version, sha256, run and time.

Their names follow from the models as they are typed, and a resumed run writes the same values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import legal_name
from sqlscore.jobs.job import Lineage
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlscore.products.product import Product
    from sqlscore.registry.versions import Version


#: kind -> its column's name and type; those of a model begin with its name where there are several
_OF_A_MODEL: dict[Lineage, tuple[str, pa.DataType]] = {
    Lineage.MODEL: ("model_name", pa.string()),
    Lineage.VERSION: ("model_version", pa.int32()),
    Lineage.SHA256: ("model_sha256", pa.string()),
}
_OF_A_RUN: dict[Lineage, tuple[str, pa.DataType]] = {
    Lineage.RUN: ("run_id", pa.string()),
    Lineage.TIME: ("scored_at", pa.timestamp("us")),
}

#: one lineage column: the place of its model among the job's (None: of the run), and its kind
Place = tuple[int | None, Lineage]


def places(kinds: Iterable[Lineage], models: int) -> list[Place]:
    """The lineage columns of so many models, in their order."""
    chosen = list(kinds)
    of_models: list[Place] = [
        (i, kind) for i in range(models) for kind in chosen if kind in _OF_A_MODEL
    ]
    return [*of_models, *((None, kind) for kind in chosen if kind in _OF_A_RUN)]


def columns(
    kinds: Sequence[Lineage], prefixes: Sequence[str], *, taken: Iterable[str], product: Product
) -> tuple[Column, ...]:
    """The lineage columns of models whose predictions' names begin with these prefixes.

    `taken` are the names that the target's other columns have.
    """
    names = list(taken)
    found = []
    for model, kind in places(kinds, len(prefixes)):
        name, type_ = _OF_A_RUN[kind] if model is None else _OF_A_MODEL[kind]
        prefix = "" if model is None else prefixes[model]
        legal = legal_name(prefix + name, limit=product.identifier_limit, taken=names)
        names.append(legal)
        found.append(Column(name=legal, type=type_, declared=product.declare(type_)))
    return tuple(found)


_VALUES: dict[Lineage, Callable[[Version], Any]] = {
    Lineage.MODEL: lambda version: version.name,
    Lineage.VERSION: lambda version: version.version,
    Lineage.SHA256: lambda version: version.sha256,
}


def value_of(kind: Lineage, version: Version) -> Any:
    """What a model's lineage column holds for rows of this version."""
    return _VALUES[kind](version)


def stamp(
    kinds: Sequence[Lineage], versions: Sequence[Version], *, run: str, began: datetime
) -> list[pa.Scalar]:
    """The values of the lineage columns, the same in every row of a run."""
    of_the_run = {Lineage.RUN: run, Lineage.TIME: began}
    return [
        pa.scalar(of_the_run[kind], _OF_A_RUN[kind][1])
        if model is None
        else pa.scalar(value_of(kind, versions[model]), _OF_A_MODEL[kind][1])
        for model, kind in places(kinds, len(versions))
    ]
