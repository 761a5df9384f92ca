"""Functions of ours on a connection that a caller has open: what a product needs for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from sqlalchemy import Engine


class Scores(Protocol):
    """Gives the predictions of models that are named as callers write them."""

    def row(self, model: str, values: Sequence[Any]) -> Any:
        """The one prediction that ``churn`` or ``churn[score]`` has for a row; None is NULL."""

    def rows(self, model: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """The same for rows."""

    def column(self, model: str, columns: Sequence[pa.Array]) -> pa.Array:
        """The same for columns, one array a feature; or one array of structs that have them."""

    def columns(self, model: str, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        """All predictions of ``churn``."""

    def features(self, model: str) -> tuple[str, ...]:
        """The names of the columns that the model takes; SignatureError where it has none."""

    def predictions(self, model: str) -> tuple[tuple[str, pa.DataType], ...]:
        """The names and types of the columns that the model gives."""


@dataclass(frozen=True, kw_only=True)
class Functions:
    """What makes functions on a product's open connections."""

    #: the product's own connection beneath one of SQLAlchemy's
    raw: Callable[[Any], Any]
    #: an engine that sees what the connection sees, and neither ends its transaction nor closes it
    engine: Callable[[Any], Engine]
    #: make ``predict(model, …)`` on the connection
    scalar: Callable[[Any, Scores], None]
    #: make ``predict_NAME(source)`` for a model; None: the connection takes no such functions
    table: Callable[[Any, Scores, str, str], None] | None
