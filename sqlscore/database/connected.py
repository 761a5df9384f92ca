"""A database that is connected to, and the models that it keeps."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlscore.forking import after_fork
from sqlscore.model.models import Models
from sqlscore.products import disconnected, product_for
from sqlscore.registry import Registry

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import sqlalchemy as sa


class Connected:
    """An engine, the product that it talks to, and the models that are there."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = after_fork(engine, disconnected)
        self.product = product_for(engine)

    @property
    def url(self) -> str:
        """The URL, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @cached_property
    def models(self) -> Models:
        """The models that this database keeps, by name."""
        return Models(Registry(self.engine, self.product))

    def close(self) -> None:
        """Close the connections that are held."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"sqlscore.connect({self.url!r})"
