"""The rows that a statement gives: read once, lazily, as what the caller likes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from sqlscore.errors import MissingExtra, StatementError
from sqlscore.statements.places import located

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

    import pandas
    import polars


class Result:
    """The rows of one SELECT. They are made while they are read, and can be read once."""

    def __init__(
        self,
        schema: pa.Schema,
        batches: Callable[[], Generator[pa.RecordBatch, None, None]],
    ) -> None:
        """`batches` starts the work."""
        self.schema = schema
        self._batches = batches
        self._done: Callable[[], None] | None = None
        self._read = False
        self.place: dict[str, int] = {}  #: of the statement, for errors while it is read
        self.earlier: tuple[Result, ...] = ()  #: of the script's SELECTs before this one
        self.messages: tuple[str, ...] = ()  #: what the script printed
        self.rows_written: int | None = None  #: by the script's last statement that wrote

    def when_done(self, done: Callable[[], None]) -> None:
        """Call this once, when the rows end or are left; at once where there are no columns."""
        self._done = done
        if not self.schema.names:
            self._finish()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self.schema.names
        return names

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches, one after the other, in little memory."""
        if self._read:
            raise StatementError(
                "these rows were read already, and are not kept. Keep what you read "
                "(rows = result.to_arrow()), or run the statement again"
            )
        self._read = True
        return self._all()

    def _all(self) -> Iterator[pa.RecordBatch]:
        try:
            with located(self.place), closing(self._batches()) as batches:
                yield from batches
        finally:
            self._finish()

    def _finish(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done()

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return pa.Table.from_batches(self.to_batches(), schema=self.schema)

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas DataFrame."""
        try:
            import pandas  # noqa: F401 - so that the error names the extra
        except ImportError as error:
            raise MissingExtra("pandas", "to_pandas()") from error
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> polars.DataFrame:
        """All rows as a polars DataFrame."""
        try:
            import polars
        except ImportError as error:
            raise MissingExtra("polars", "to_polars()") from error
        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows as tuples, in the order of `columns`."""
        for batch in self.to_batches():
            columns = [column.to_pylist() for column in batch.columns]
            yield from zip(*columns, strict=True)

    def close(self) -> None:
        """Leave the rows that were not read, and give the connection back."""
        self._read = True
        self._finish()

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
        state = "read already" if self._read else "not read yet"
        return f"<Result {', '.join(self.columns)}; {state}>"


def held(table: pa.Table) -> Result:
    """A result whose rows are in memory already."""

    def batches() -> Generator[pa.RecordBatch, None, None]:
        yield from table.to_batches()

    return Result(table.schema, batches)
