"""The model that a caller inside the server names: found, loaded once, and its right asked for."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from sqlscore.errors import RegistryError, nearest
from sqlscore.runtime.chosen import Chosen, parts_of
from sqlscore.runtime.prepared import ask, keep
from sqlscore.runtime.signals import without_signals
from sqlscore.runtime.statement import current
from sqlscore.session import runtime_version
from sqlscore.session.numeric import Numeric, NumericModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.model import Model

# Operators are named with their schema: the search_path here is the caller's, and a better fitting
# operator that somebody put into it must not run with the caller's rights.
_VERSION = (
    "SELECT m.name, m.version, m.sha256, m.options, m.proof, m.runs "
    "FROM sqlscore.usable_models AS m"
)
_SIGNATURE = (
    "SELECT m.signature FROM sqlscore.usable_models AS m WHERE m.name OPERATOR(pg_catalog.=) $1 "
    "AND m.version::pg_catalog.text OPERATOR(pg_catalog.=) $2"
)
_NAMED = "WHERE m.name OPERATOR(pg_catalog.=) $1"
_NEWEST = f"{_NAMED} ORDER BY m.version DESC LIMIT 1"
#: the sign in what callers write -> which version of the name before it
_FIND = {
    ":": f"{_NAMED} AND m.version::pg_catalog.text OPERATOR(pg_catalog.=) $2",
    "@": "JOIN sqlscore.usable_aliases AS a ON a.name OPERATOR(pg_catalog.=) m.name "
    f"AND a.version OPERATOR(pg_catalog.=) m.version {_NAMED} "
    "AND a.alias OPERATOR(pg_catalog.=) $2",
}
_PARTS = """
    SELECT bytes FROM sqlscore.usable_parts WHERE sha256 OPERATOR(pg_catalog.=) $1 ORDER BY part
"""

_chosen: dict[tuple[str, str, str], Chosen] = {}
_statement: list[tuple[int, ...] | None] = [None]
_allowed: dict[str, Chosen] = {}  #: what the callers of that statement have named


def choose(plpy: Any, text: str) -> Chosen:
    """The model that a caller names, loaded once; each statement asks again for the right to it."""
    statement = current()
    if statement is None or _statement[0] != statement:
        _allowed.clear()
        _statement[0] = statement
    if text not in _allowed:
        _allowed[text] = _choose(plpy, text)
    return _allowed[text]


def _choose(plpy: Any, text: str) -> Chosen:
    spec, wanted = parts_of(unicodedata.normalize("NFC", text))
    found = _find(plpy, spec)
    if not found:
        raise _unknown(plpy, spec)
    row = found[0]
    key = (text, row["sha256"], row["options"])
    if key not in _chosen:
        same = next((c for c in _chosen.values() if c.key[1:] == key[1:]), None)
        chosen = Chosen(
            spec=spec, wanted=wanted, key=key,
            load=cache(partial(_load, plpy, row)) if same is None else same.load,
            numeric=_numeric(plpy, row) if same is None else same.numeric,
        )  # fmt: skip
        keep(_chosen, key, chosen)
    return _chosen[key]


def _find(plpy: Any, spec: str) -> Any:
    """The version that ``churn``, ``churn:3`` or ``churn@production`` names; at most one row."""
    for sign, condition in _FIND.items():
        name, found, which = spec.partition(sign)
        if found:
            return ask(plpy, f"{_VERSION} {condition}", name, which)
    return ask(plpy, f"{_VERSION} {_NEWEST}", spec)


def _numeric(plpy: Any, row: Mapping[str, Any]) -> NumericModel | None:
    """What runs a model of numbers with neither Arrow nor onnx, where `add` stored it."""
    proved_with = json.loads(row["proof"])["onnxruntime"]
    if row["runs"] is None or proved_with != runtime_version():
        return None
    (found,) = ask(plpy, _SIGNATURE, row["name"], str(row["version"]))
    facts = Numeric.of_stored(json.loads(found["signature"])["numeric"])
    return NumericModel(facts, _bytes(plpy, row, row["runs"]))


def _load(plpy: Any, row: Mapping[str, Any]) -> Model:
    with without_signals():
        from sqlscore.graph import read
        from sqlscore.model import Model
        from sqlscore.prove import Proof

        options = json.loads(row["options"])
        return Model(
            read(_bytes(plpy, row, row["sha256"])), **options,
            name=row["name"], version=row["version"], proof=Proof.from_json(row["proof"]),
        )  # fmt: skip


def _bytes(plpy: Any, row: Mapping[str, Any], sha256: str) -> bytes:
    stored = b"".join(part["bytes"] for part in ask(plpy, _PARTS, sha256))
    if hashlib.sha256(stored).hexdigest() != sha256:
        raise RegistryError(
            f"the stored bytes of model {row['name']!r}, version {row['version']}, are not those "
            "that were added, so they are not run. Add the model again from its file"
        )
    return stored


def _unknown(plpy: Any, spec: str) -> RegistryError:
    """The error for a model that is not there, or that the caller may not use: the same words."""
    rows = plpy.execute("SELECT DISTINCT name FROM sqlscore.usable_models ORDER BY name LIMIT 100")
    names = [row["name"] for row in rows]
    has = f"There are: {', '.join(map(repr, names))}." if names else "There is none."
    return RegistryError(
        f"there is no model {spec!r} that you may use. {has}{nearest(spec, names)} "
        "Who may add it says: SELECT sqlscore.grant_model('churn', 'role')"
    )
