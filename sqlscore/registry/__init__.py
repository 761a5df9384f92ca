"""The models that a database keeps: versions that never change, and aliases that point to them.

A version's bytes lie in parts under their sha256, once however many versions share them, and are
checked against it whenever they are loaded. Each call reads or writes in one transaction. Writers
take turns: the first statement of each locks the one row of the layout table, so no writer sees
half of another's work; a key that is taken nevertheless is answered by trying again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, TypeVar

from sqlscore import graph as graphs
from sqlscore import tables
from sqlscore.errors import RegistryError
from sqlscore.prove import prove
from sqlscore.registry.model_rows import ModelRows, listed, unknown_model
from sqlscore.registry.versions import Spec, Version, checked_name, options_json
from sqlscore.transact import transact

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    import sqlalchemy as sa

    from sqlscore.graph import Graph
    from sqlscore.products.product import Product
    from sqlscore.signature import Signature

__all__ = ["Registry", "Version"]

T = TypeVar("T")

# A database that a single process holds needs no lock but this one; DuckDB takes an UPDATE that
# changes nothing for no write at all, so there the layout row would not make writers wait.
_ONE_PROCESS = threading.RLock()


class Registry:
    """The models of one database. Nothing is created before something is added."""

    def __init__(self, engine: sa.Engine, product: Product) -> None:
        self._engine = engine
        self._product = product

    def __repr__(self) -> str:
        return f"Registry({self._engine.url.render_as_string(hide_password=True)!r})"

    def add(
        self,
        name: str,
        source: str | os.PathLike[str] | bytes | onnx.ModelProto | Graph,
        *,
        features: Sequence[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        alias: str | None = None,
    ) -> Version:
        """Store a model as the next version of `name`; the version that is there, for the same.

        The same means: the same bytes, `features`, `outputs` and `drop`. What the model is, and
        that its rewrite agrees with it, is checked before anything is stored. With `alias`, the
        alias points to the version afterwards. Raises ModelError, SignatureError, RegistryError
        for a name that cannot be one, DatabaseError.
        """
        name = checked_name(name)
        alias = None if alias is None else checked_name(alias, "alias")
        graph = source if isinstance(source, graphs.Graph) else graphs.read(source)
        signature = graphs.signature_of(graph, features=features, outputs=outputs, drop=drop)
        options = options_json(features, outputs, drop)
        known = _same(self.versions(name), graph.sha256, options)
        row = {
            "name": name,
            "sha256": graph.sha256,
            "bytes": len(graph.stored),
            "options": options,
            "signature": _signature_json(signature),
            # outside of the transaction: it may take seconds, and other writers wait for that one
            "proof": (known.proof if known else prove(graph, signature)).to_json(),
        }

        def store(rows: ModelRows) -> Version:
            version = _same(rows.versions(name), graph.sha256, options)
            version = version or rows.add(row, graph.stored)
            if alias is not None:
                rows.point(name, alias, version.version)
            return version

        return self._write(store, f"adding model {name!r}")

    def get(self, spec: str) -> Version:
        """The version that ``churn`` (the newest), ``churn:3`` or ``churn@production`` names.

        Raises RegistryError where there is none; it says what there is.
        """
        wanted = Spec.parse(spec)

        def look(rows: ModelRows) -> Version:
            number = wanted.version
            if wanted.alias is not None:
                number = rows.pointed(wanted.name, wanted.alias)
            return rows.version(wanted.name, number)

        found = self._read(look, f"reading model {spec!r}")
        if found is None:
            raise unknown_model(wanted.name, ())
        return found

    def names(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        return self._read(lambda rows: rows.names(), "listing models") or ()

    def versions(self, name: str) -> tuple[Version, ...]:
        """The versions of a name, oldest first; empty where there is none."""
        name = checked_name(name)
        return self._read(lambda rows: rows.versions(name), f"listing versions of {name!r}") or ()

    def aliases(self, name: str) -> dict[str, int]:
        """The aliases of a name and the number of the version that each points to."""
        name = checked_name(name)
        return self._read(lambda rows: rows.aliases(name), f"listing aliases of {name!r}") or {}

    def alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias of `name` to a version, wherever it pointed before."""
        name, alias = checked_name(name), checked_name(alias, "alias")

        def point(rows: ModelRows) -> None:
            rows.point(name, alias, rows.version(name, version).version)

        self._change(name, point, f"pointing {name}@{alias} to version {version}")

    def unalias(self, name: str, alias: str) -> None:
        """Take an alias away; the version that it points to stays."""
        name, alias = checked_name(name), checked_name(alias, "alias")
        self._change(name, lambda rows: rows.unpoint(name, alias), f"taking {name}@{alias} away")

    def remove(self, spec: str) -> None:
        """Remove one version, named by its number; its number is never given again.

        Its bytes go when no other version has the same. Raises RegistryError where an alias
        points to it, or where `spec` is not ``name:number``.
        """
        wanted = Spec.parse(spec)
        if wanted.version is None:
            raise RegistryError(
                f"{spec!r} does not say which version to remove. Name it by its number, as in "
                f"'{wanted.name}:1'"
            )

        def remove(rows: ModelRows) -> None:
            version = rows.version(wanted.name, wanted.version)
            aliases = rows.aliases(wanted.name).items()
            users = [alias for alias, number in aliases if number == wanted.version]
            if users:
                raise RegistryError(
                    f"{version} is in use by the alias {listed(users)}. Point the alias to "
                    "another version first, or take it away"
                )
            rows.remove(version)

        self._change(wanted.name, remove, f"removing {spec!r}")

    def graph(self, version: Version) -> Graph:
        """The model's graph, with its bytes checked against the sha256 of the version."""

        def look(rows: ModelRows) -> bytes:
            stored = rows.stored(version.sha256)
            if not stored:
                rows.version(version.name, version.version)  # says so where it was removed
            return stored

        found = self._read(look, f"loading {version}") or b""
        if hashlib.sha256(found).hexdigest() != version.sha256:
            raise RegistryError(
                f"the stored bytes of model {version.name!r}, version {version.version}, are not "
                f"those that were added: {len(found)} bytes of {version.size}, with another "
                "sha256. They were changed in the database, so they are not run. Add the model "
                "again from its file, under another name or after removing this version"
            )
        return graphs.read(found)

    def _read(self, look: Callable[[ModelRows], T], doing: str) -> T | None:
        """What `look` finds, in one transaction; None where the database has no owned tables."""
        if self._product.absent(self._engine):
            return None

        def work() -> T | None:
            owned = tables.opened(self._engine, schemas=self._product.schemas)
            if owned is None:
                return None
            with self._engine.connect() as connection:
                return look(ModelRows(connection=connection, owned=owned))

        return transact(self._engine, work, doing)

    def _change(self, name: str, change: Callable[[ModelRows], None], doing: str) -> None:
        """Change what is there of a name; where nothing is, nothing is made just to say so."""
        if self._read(lambda rows: rows.existing(name), doing) is None:
            raise unknown_model(name, ())
        self._write(change, doing)

    def _write(self, change: Callable[[ModelRows], T], doing: str) -> T:
        """What `change` returns, in one transaction that no other writer of the registry is in."""

        def work() -> T:
            owned = tables.ensure(self._engine, schemas=self._product.schemas)
            turn = owned.layout.update().values(applied_at=owned.layout.c.applied_at)
            with self._engine.begin() as connection:
                connection.execute(turn)
                return change(ModelRows(connection=connection, owned=owned))

        if self._product.shared:
            return transact(self._engine, work, doing)
        with _ONE_PROCESS:
            return transact(self._engine, work, doing)


def _same(versions: Sequence[Version], sha256: str, options: str) -> Version | None:
    """The newest version with these bytes and options."""
    for version in reversed(versions):
        theirs = options_json(version.features, version.outputs, version.drop)
        if version.sha256 == sha256 and theirs == options:
            return version
    return None


def _signature_json(signature: Signature) -> str:
    """The signature for people who look into the table; nothing reads it back."""
    return json.dumps(
        {
            "features": [[f.name, str(f.type)] for f in signature.features],
            "predictions": [[p.name, str(p.type)] for p in signature.predictions],
        },
        ensure_ascii=False,
    )
