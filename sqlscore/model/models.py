"""The models that a database keeps, as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlscore.errors import RegistryError
from sqlscore.model import Model, stored

if TYPE_CHECKING:
    import os

    import onnx

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

    def add(
        self,
        name: str,
        model: str | os.PathLike[str] | bytes | onnx.ModelProto | Model,
        *,
        features: Sequence[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        alias: str | None = None,
    ) -> Version:
        """Keep a model as the next version of a name; see `Registry.add`.

        A `Model` brings the options that it was loaded with; those given here win.
        """
        given: dict[str, Any] = {"features": features, "outputs": outputs, "drop": drop}
        if isinstance(model, Model):
            given = {option: value or model.options[option] for option, value in given.items()}
        source = model.graph if isinstance(model, Model) else model
        return self._registry.add(name, source, alias=alias, **given)

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
