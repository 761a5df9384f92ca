"""The models that a database keeps, as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlscore.errors import RegistryError, SignatureError
from sqlscore.graph import Graph, read
from sqlscore.model.holdout import TOLERANCE, examined
from sqlscore.model.model import Model, stored

if TYPE_CHECKING:
    import os

    import onnx

    from sqlscore.prove.examples import Difference, Examples
    from sqlscore.prove.providers import Measured
    from sqlscore.registry import Registry
    from sqlscore.registry.versions import Version


class Models(Mapping[str, Model]):
    """The models of a database: names, versions, aliases. ``models["churn@production"]``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.version = registry.get
        self.versions = registry.versions
        self.aliases = registry.aliases
        self.alias = registry.alias
        self.unalias = registry.unalias
        self.history = registry.history
        self.rollback = registry.rollback
        self.remove = registry.remove
        self.note = registry.note

    def add(
        self,
        name: str,
        model: str | os.PathLike[str] | bytes | onnx.ModelProto | Model,
        *,
        features: Sequence[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        shapes: Mapping[str, Sequence[int]] | None = None,
        constants: Mapping[str, Any] | None = None,
        alias: str | None = None,
        examples: Any = None,
        expect: str | Sequence[str] | Mapping[str, str] = (),
        tolerance: float = TOLERANCE,
    ) -> Version:
        """Keep a model as the next version of a name; see `Registry.add`.

        A `Model` brings the options that it was loaded with; those given here win.

        examples: rows with the author's own predictions, a frame or the path of a Parquet or CSV
            file. They are scored and compared, and up to 101 of them are kept with the version:
            they are data, and whoever may read models can read them.
        expect: the columns of the examples that hold predictions; column -> prediction, where the
            names differ.
        tolerance: how far predictions may be from those: absolute up to 1, relative beyond.
        """
        given: dict[str, Any] = {
            "features": features, "outputs": outputs, "drop": drop, "shapes": shapes,
            "constants": constants,
        }  # fmt: skip
        if isinstance(model, Model):
            given = {option: value or model.options[option] for option, value in given.items()}
        source = model.graph if isinstance(model, Model) else model
        proof = model.proof if isinstance(model, Model) and given == model.options else None
        if examples is None:
            if expect:
                raise SignatureError("expect= names columns of examples=, which are not given")
            return self._registry.add(name, source, alias=alias, proof=proof, **given)
        loaded = Model(source if isinstance(source, Graph) else read(source), **given)
        kept = examined(loaded, examples, expect, tolerance)
        return self._registry.add(
            name, loaded.graph, alias=alias, proof=loaded.proof, examples=kept, **given
        )

    def examples(self, spec: str) -> Examples | None:
        """What a version was found to give for its author's rows; None where none were given."""
        return self._registry.examples(self._registry.get(spec))

    def measures(self, spec: str) -> dict[str, Measured]:
        """How far each provider is from the CPU for a version, of those that were measured."""
        return self._registry.measures(self._registry.get(spec))

    def check(self, spec: str, *, provider: str = "cpu") -> Difference:
        """The largest difference to the author's predictions now, on the examples that are kept.

        Raises ModelError where it is past the tolerance, RegistryError where nothing is kept.
        """
        version = self._registry.get(spec)
        examples = self._registry.examples(version)
        if examples is None or not examples.kept.num_rows:
            raise RegistryError(
                f"no examples are kept with {version}. Add the model again with its author's rows: "
                f"sqlscore model add {version.name} FILE --examples ROWS --expect COLUMN"
            )
        return examples.check(stored(self._registry, version).predictor(provider), str(version))

    def copy(
        self, spec: str, to: Models, *, name: str | None = None, alias: str | None = None
    ) -> Version:
        """Keep a version among the models of another database too, as it is here.

        The bytes, the options and the proof stay; it gets the next number there, under its own
        name or another. With `alias`, that points to it there. See `Registry.copy`.
        """
        return self._registry.copy(spec, to._registry, name=name, alias=alias)

    def __getitem__(self, spec: str) -> Model:
        return stored(self._registry, spec)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names())

    def __len__(self) -> int:
        return len(self._registry.names())

    def __contains__(self, spec: object) -> bool:
        try:
            self._registry.get(str(spec))
        except RegistryError:
            return False
        return True
