"""``df.sqlscore.predict(model)`` is there after ``import sqlscore``, which imports no pandas.

pandas has no way to announce an accessor before it is imported. So where pandas is not there yet, a
finder waits in front of `sys.meta_path` for its import alone: it finds pandas as everybody else
would, and hands out the same loader with one step added after it. Nothing of pandas is replaced,
and the finder takes itself away when pandas is there.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_NAME = "sqlscore"


class Accessor:
    """What a pandas DataFrame has as ``.sqlscore``."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def predict(self, model: Any, **options: Any) -> Any:
        """The model's predictions for the frame's rows: ``model.predict(df, …)``."""
        return model.predict(self._frame, **options)


def register() -> None:
    """Give DataFrames the accessor: now where pandas is imported, else when it is."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and hasattr(pandas, "api"):
        _extend(pandas)
    elif not any(isinstance(finder, _WaitsForPandas) for finder in sys.meta_path):
        # also while pandas is half imported (it imports sqlscore by some plugin): it is not found
        # again then, and the accessor comes with the next import of sqlscore in a new process
        sys.meta_path.insert(0, _WaitsForPandas())


def _extend(pandas: Any) -> None:
    if not hasattr(pandas.DataFrame, _NAME):
        pandas.api.extensions.register_dataframe_accessor(_NAME)(Accessor)


class _WaitsForPandas:
    """Finds pandas as the other finders do, with a loader that registers the accessor too."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "pandas":
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ThenExtends(spec.loader, self)  # type: ignore[assignment]
                return spec
        return None


class _ThenExtends:
    """pandas' own loader, and the accessor after it."""

    def __init__(self, loader: Any, finder: _WaitsForPandas) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        spec.loader = self._loader
        try:
            module: ModuleType | None = self._loader.create_module(spec)
        finally:
            spec.loader = self  # type: ignore[assignment]  # it has all that Loader has
        return module

    def exec_module(self, module: ModuleType) -> None:
        # pandas sees its own loader while it runs and ever after: resources and pickling ask it
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        _extend(module)
