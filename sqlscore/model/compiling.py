"""A model as SQL text, without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from sqlscore.binding import legal_name, match_features
from sqlscore.errors import SignatureError
from sqlscore.model import Model, load
from sqlscore.products.expressions import expressions_for
from sqlscore.pushdown import select

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence


def compile(
    model: Model | str | os.PathLike[str],
    *,
    dialect: str,
    table: str = "data",
    key: str | Sequence[str] = (),
    map: Mapping[str, str] | None = None,
) -> str:
    """The model as a SELECT of the key and the predictions from a table, in a SQL dialect.

    `dialect` is ``postgres``, ``mssql``, ``mysql``, ``sqlite``, ``duckdb``, ``snowflake`` or
    another one of sqlglot's. Columns have the features' names, unless `map` gives others. Raises
    PushdownUnsupported where an operator has no SQL form, with all of them.
    """
    if not isinstance(model, Model):
        model = load(model)
    facts = expressions_for(dialect)
    columns = _columns(model, map)
    keys = [key] if isinstance(key, str) else list(key)
    names: dict[str, str] = {}
    for prediction in model.signature.predictions:
        names[prediction.name] = legal_name(
            prediction.name, limit=facts.identifier_limit, taken=[*keys, *names.values()]
        )
    statement = select(
        model.graph,
        model.signature,
        facts,
        relation=exp.to_table(table, dialect=facts.dialect),
        columns=columns,
        names=names,
        passed=keys,
    )
    return written(statement, facts.dialect)


def written(statement: exp.Expression, dialect: str) -> str:
    """A statement as text."""
    return statement.sql(
        dialect=dialect,
        identify=True,
        unsupported_level=sqlglot.ErrorLevel.RAISE,
        comments=False,
    )


def _columns(model: Model, map: Mapping[str, str] | None) -> dict[str, str]:
    features = [feature.name for feature in model.signature.features]
    if not model.signature.named and not map:
        raise SignatureError(
            f"the model takes a block of {len(features)} features and does not name them. Give "
            "their names once: features=[…] at load or add"
        )
    given = dict(map or {})
    match_features(model.signature, [given.get(name, name) for name in features], map=given)
    return {name: given.get(name, name) for name in features}
