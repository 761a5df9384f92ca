"""One database's registry: what may be done with the models that it keeps.

A version's bytes lie in parts under their sha256, once however many versions share them, and are
checked against it whenever they are loaded. Each call reads or writes in one transaction (`Turns`).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlscore import graph as graphs
from sqlscore.errors import DatabaseError, RegistryError
from sqlscore.prove.providers import Measured, measure
from sqlscore.registry import measures
from sqlscore.registry.aliases import Aliases
from sqlscore.registry.candidate import Candidate
from sqlscore.registry.model_rows import ModelRows, listed, unknown_model
from sqlscore.registry.running import running
from sqlscore.registry.turns import Turns
from sqlscore.registry.versions import Spec, Version, checked_name, signature_json
from sqlscore.session import asked, available, runtime_version

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import onnx
    import sqlalchemy as sa

    from sqlscore.graph import Graph
    from sqlscore.products.product import Product
    from sqlscore.prove import Proof
    from sqlscore.prove.examples import Examples


class Registry(Aliases):
    """The models of one database. Nothing is created before something is added."""

    def __init__(self, engine: sa.Engine, product: Product) -> None:
        super().__init__(Turns(engine, product))
        self._url = engine.url.render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"Registry({self._url!r})"

    def add(
        self,
        name: str,
        source: str | os.PathLike[str] | bytes | onnx.ModelProto | Graph,
        *,
        features: Sequence[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        shapes: Mapping[str, Sequence[int]] | None = None,
        constants: Mapping[str, Any] | None = None,
        alias: str | None = None,
        proof: Proof | None = None,
        examples: Examples | None = None,
    ) -> Version:
        """Store a model as the next version of `name`; the version that is there, for the same.

        The same means: the same bytes and the same options, `features` to `constants`. What the
        model is, and that its rewrite agrees with it, is checked before anything is stored, unless
        `proof` says so for this ONNX Runtime. `examples` are kept with the version, also with one
        that is there. With `alias`, the alias points to the version afterwards. Raises ModelError,
        SignatureError, RegistryError for a name that cannot be one, DatabaseError.
        """
        name = checked_name(name)
        alias = None if alias is None else checked_name(alias, "alias")
        candidate = Candidate.of(
            source, features=features, outputs=outputs, drop=drop, shapes=shapes,
            constants=constants,
        )  # fmt: skip
        known = candidate.among(self.versions(name))
        # outside of the transaction: it may take seconds, and other writers wait for that one
        proof = known.proof if known is not None else candidate.proved(proof)
        runs = candidate.running(proof) if known is None else None

        def store(rows: ModelRows) -> Version:
            version = candidate.among(rows.versions(name))
            if version is None:
                version = rows.add(candidate.row(name, proof, runs), candidate.graph.stored, runs)
            if examples is not None:
                rows.keep_examples(version, examples)
            if alias is not None:
                rows.point(name, alias, version.version)
            return version

        version = self._turns.write(store, f"adding model {name!r}")
        for provider in available():
            if provider != "cpu":
                self.measured(version, provider)
        return version

    def measured(
        self,
        version: Version,
        provider: str,
        options: Mapping[str, str] | None = None,
        *,
        anew: bool = False,
    ) -> Measured:
        """How far a provider is from the CPU for a version, measured now where it is not known.

        It is measured again where that was with other options or another ONNX Runtime, or `anew`,
        and kept, where the database lets us. Raises ProviderError for a provider that is not here;
        one that refuses the model is an answer.
        """
        asked(provider, available(), options)
        found = None if anew else self.measures(version).get(provider)
        if found is not None and found.holds(runtime_version(), options or {}):
            return found
        graph = self.graph(version)
        made = measure(
            graph, version.signature_of(graph), version.proof, provider,
            options=options, constants=version.constants,
        )  # fmt: skip

        def keep(rows: ModelRows) -> None:
            measures.store(rows.connection, rows.owned, version, made)

        with suppress(DatabaseError):  # a job may have no right to write among the models
            self._turns.write(keep, f"keeping what was measured of {version}")
        return made

    def measures(self, version: Version) -> dict[str, Measured]:
        """What was measured of a version, by provider."""

        def look(rows: ModelRows) -> dict[str, Measured]:
            return measures.stored(rows.connection, rows.owned, version)

        return self._turns.read(look, f"reading what was measured of {version}") or {}

    def get(self, spec: str) -> Version:
        """The version that ``churn`` (the newest), ``churn:3`` or ``churn@production`` names.

        Raises RegistryError where there is none; it says what there is.
        """
        wanted = Spec.parse(spec)
        found = self._turns.read(lambda rows: _meant(rows, wanted), f"reading model {spec!r}")
        if found is None:
            raise unknown_model(wanted.name, ())
        return found

    def loaded(self, spec: str) -> tuple[Version, Graph, Examples | None]:
        """A version with its graph and its examples, as one transaction sees them.

        Raises RegistryError as `get` and `graph` do.
        """
        wanted = Spec.parse(spec)

        def look(rows: ModelRows) -> tuple[Version, bytes, Examples | None]:
            version = _meant(rows, wanted)
            return version, rows.stored(version.sha256), rows.examples(version)

        found = self._turns.read(look, f"loading model {spec!r}")
        if found is None:
            raise unknown_model(wanted.name, ())
        version, stored, examples = found
        return version, _checked(version, stored), examples

    def examples(self, version: Version) -> Examples | None:
        """What is kept of the author's rows with a version; None where none were given."""
        return self._turns.read(lambda rows: rows.examples(version), f"reading {version}")

    def names(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        return self._turns.read(lambda rows: rows.names(), "listing models") or ()

    def versions(self, name: str) -> tuple[Version, ...]:
        """The versions of a name, oldest first; empty where there is none."""
        name = checked_name(name)
        return (
            self._turns.read(lambda rows: rows.versions(name), f"listing versions of {name!r}")
            or ()
        )

    def copy(
        self, spec: str, to: Registry, *, name: str | None = None, alias: str | None = None
    ) -> Version:
        """Add a version to another registry as it is: the same bytes, options, proof, examples.

        It gets the next number there, under its own name or another. A proof made with another
        ONNX Runtime than this process has is made anew. The same model with the same options gives
        the version that is there. Raises RegistryError, ModelError, DatabaseError.
        """
        version = self.get(spec)
        return to.add(
            name or version.name, self.graph(version), **version.options, alias=alias,
            proof=version.proof, examples=self.examples(version),
        )  # fmt: skip

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

        self._turns.change(wanted.name, remove, f"removing {spec!r}")

    def note(self) -> None:
        """Note of the versions of before how functions inside a database run them, as `add` does.

        Without it they run as well; the first call of a new connection takes longer.
        """
        for version in self._turns.read(lambda rows: rows.unnoted(), "listing models") or ():
            graph = self.graph(version)
            signature = version.signature_of(graph)
            made = running(graph, signature, version.proof, version.constants)
            noted = {"signature": signature_json(signature, made), "runs": made and made.sha256}
            write = partial(ModelRows.note, version=version, noted=noted, running=made)
            self._turns.write(write, f"noting how {version} runs")

    def graph(self, version: Version) -> Graph:
        """The model's graph, with its bytes checked against the sha256 of the version."""

        def look(rows: ModelRows) -> bytes:
            stored = rows.stored(version.sha256)
            if not stored:
                rows.version(version.name, version.version)  # says so where it was removed
            return stored

        return _checked(version, self._turns.read(look, f"loading {version}") or b"")


def _meant(rows: ModelRows, wanted: Spec) -> Version:
    number = wanted.version
    if wanted.alias is not None:
        number = rows.pointed(wanted.name, wanted.alias)
    return rows.version(wanted.name, number)


def _checked(version: Version, stored: bytes) -> Graph:
    """The graph of bytes that have the version's sha256; RegistryError for any others."""
    if hashlib.sha256(stored).hexdigest() != version.sha256:
        raise RegistryError(
            f"the stored bytes of model {version.name!r}, version {version.version}, are not "
            f"those that were added: {len(stored)} bytes of {version.size}, with another "
            "sha256. They were changed in the database, so they are not run. Add the model "
            "again from its file, under another name or after removing this version"
        )
    return graphs.read(stored)
