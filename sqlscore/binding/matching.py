"""Which column feeds which feature, by names alone: pure.

A feature takes the column of exactly its name, else the one column whose name is equal but for
upper and lower case, else it is an error that names what is near. Features whose names were made up
(an unnamed block) bind by position, and only where the caller chose exactly as many columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.errors import SignatureError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.signature import Signature


def match_features(
    signature: Signature,
    columns: Sequence[str],
    *,
    map: Mapping[str, str] | None = None,
    positional: bool = False,
) -> tuple[str, ...]:
    """The column that feeds each feature, in the order of the features.

    `map` binds a feature to another column. `positional` says that the caller chose the columns
    one by one (a SELECT, a DataFrame), so that an unnamed block may bind by their order. Raises
    `SignatureError` for what does not bind, or binds to more than one.
    """
    renamed = dict(map or {})
    features = [feature.name for feature in signature.features]
    for name in renamed:
        if name not in features:
            raise SignatureError(
                f"map= names {name!r}, which is no feature of the model.{nearest(name, features)}"
                f" The model wants: {_listed(features)}"
            )
    if not signature.named and not renamed:
        return _by_position(features, columns, positional=positional)
    missing = []
    matched = []
    for name in features:
        column = _match(renamed.get(name, name), columns)
        matched.append(column or "")
        if column is None:
            missing.append((name, renamed.get(name, name)))
    if missing:
        raise SignatureError(_missing(missing, features, columns))
    return tuple(matched)


def _match(name: str, columns: Sequence[str]) -> str | None:
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    if len(alike) > 1:
        raise SignatureError(
            f"{name!r} could be any of the columns {_listed(alike)}, which differ in case only. "
            f"Say which one: map={{{name!r}: {alike[0]!r}}}"
        )
    return alike[0] if alike else None


def _by_position(
    features: Sequence[str], columns: Sequence[str], *, positional: bool
) -> tuple[str, ...]:
    if positional and len(columns) == len(features):
        return tuple(columns)
    what = (
        f"exactly {len(features)} columns beside the key, and there are {len(columns)}"
        if positional
        else "a SELECT or a DataFrame that names them; a table or * does not choose an order"
    )
    raise SignatureError(
        f"the model takes a block of {len(features)} features and does not name them. Give their "
        f"names once, features=[…] at load or add; or bind by position, which needs {what}"
    )


def _missing(
    missing: Sequence[tuple[str, str]], features: Sequence[str], columns: Sequence[str]
) -> str:
    lines = [
        f"  {name!r}"
        + (f" (map: {wanted!r})" if wanted != name else "")
        + ": no such column."
        + nearest(wanted, columns)
        for name, wanted in missing
    ]
    return "\n".join(
        [
            f"{len(missing)} of the model's {len(features)} features have no column:",
            *lines,
            f"The model wants: {_listed(features)}",
            f"The source has: {_listed(columns)}",
            "Bind a feature to a column of another name by map={feature: column}, or in SQL by a "
            "SELECT that names it so: column AS feature",
        ]
    )


def _listed(names: Sequence[str], most: int = 40) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown or "nothing"
