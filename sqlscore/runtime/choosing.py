"""The model that a caller inside the server names: found, loaded once, and its right asked for."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from sqlscore.errors import RegistryError, nearest
from sqlscore.graph import Graph, read
from sqlscore.model import Model
from sqlscore.prove import Proof
from sqlscore.runtime.chosen import Chosen, parts_of
from sqlscore.runtime.prepared import ask, keep
from sqlscore.runtime.statement import current

if TYPE_CHECKING:
    from collections.abc import Mapping

# Operators are named with their schema: the search_path here is the caller's, and a better fitting
# operator that somebody put into it must not run with the caller's rights.
_VERSION = "SELECT m.name, m.version, m.sha256, m.options, m.proof FROM sqlscore.usable_models AS m"
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
        same = (c.model for c in _chosen.values() if c.key[1:] == key[1:])
        model = next(same, None) or _load(plpy, row)
        keep(_chosen, key, Chosen(spec=spec, model=model, wanted=wanted, key=key))
    return _chosen[key]


def _find(plpy: Any, spec: str) -> Any:
    """The version that ``churn``, ``churn:3`` or ``churn@production`` names; at most one row."""
    for sign, condition in _FIND.items():
        name, found, which = spec.partition(sign)
        if found:
            return ask(plpy, f"{_VERSION} {condition}", name, which)
    return ask(plpy, f"{_VERSION} {_NEWEST}", spec)


def _load(plpy: Any, row: Mapping[str, Any]) -> Model:
    parts = ask(plpy, _PARTS, row["sha256"])
    stored = b"".join(part["bytes"] for part in parts)
    name, version = row["name"], row["version"]
    if hashlib.sha256(stored).hexdigest() != row["sha256"]:
        raise RegistryError(
            f"the stored bytes of model {name!r}, version {version}, are not those that were "
            "added, so they are not run. Add the model again from its file"
        )
    options = json.loads(row["options"])
    graph: Graph = read(stored)
    return Model(
        graph, features=options["features"], outputs=options["outputs"], drop=options["drop"],
        name=name, version=version, proof=Proof.from_json(row["proof"]),
    )  # fmt: skip


def _unknown(plpy: Any, spec: str) -> RegistryError:
    """The error for a model that is not there, or that the caller may not use: the same words."""
    rows = plpy.execute("SELECT DISTINCT name FROM sqlscore.usable_models ORDER BY name LIMIT 100")
    names = [row["name"] for row in rows]
    has = f"There are: {', '.join(map(repr, names))}." if names else "There is none."
    return RegistryError(
        f"there is no model {spec!r} that you may use. {has}{nearest(spec, names)} "
        "Who may add it says: SELECT sqlscore.grant_model('churn', 'role')"
    )
