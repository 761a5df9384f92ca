"""``predict_over`` as a window function, by which SQLite hands over rows that are still to come.

A scalar function must answer for a row before it sees the next one. A window function is given all
rows of its frame first: with a frame that reaches 4,000 rows ahead, the model runs once in 4,001.
A frame that begins with the first row spares SQLite taking rows out of it again, each of them by a
call of its own.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlscore.products.functions import Scores

_AHEAD = 4000
_FRAME = f"OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND {_AHEAD} FOLLOWING)"


class PredictOver:
    """One window of a statement, of which SQLite makes an object for each partition.

    With that frame SQLite hands over each row once, in order, and asks for one value for each row,
    in the same order: so the n-th value is the n-th row's prediction. Of another frame it may ask
    once for several rows; then another row comes after a first value that came too early, or it
    never comes, and all rows have the first one's prediction.
    """

    def __init__(
        self,
        scores: Scores,
        told: Callable[[], AbstractContextManager[None]],
        tell: Callable[[SqlscoreError], None],
    ) -> None:
        """`told` keeps and logs the words of an error, which the module hides; so does `tell`."""
        self._scores = scores
        self._told = told
        self._tell = tell
        self._model: str | None = None
        self._given: list[tuple[Any, ...]] = []  # rows that are not scored yet
        self._scored: deque[Any] = deque()  # predictions of the rows before them
        self._ended = False  # no row may come any more
        self._alone = 0  # rows for which one value was asked for

    def step(self, model: Any = None, *values: Any) -> None:
        """Take a row that enters the frame at its end."""
        if model != self._model or self._ended:
            self._look(model, values)
        self._given.append(values)

    def inverse(self, *_: Any) -> None:
        """A row leaves the frame: its prediction was asked for, or will be."""

    def value(self) -> Any:
        """The prediction of the next row."""
        if self._scored:
            self._alone = 0
        else:
            self._score()
        return self._scored.popleft()

    def finalize(self) -> None:
        """The end, of which SQLite may hear no error any more."""
        if self._given and not self._scored and not self._ended:
            with self._told():  # a frame that leaves rows out: this is asked for each value
                raise SqlscoreError(f"predict_over gives each row its own prediction only {_FRAME}")
        if self._alone > 1:
            self._tell(
                SqlscoreError(
                    f"predict_over was asked once for {self._alone} rows: all of them have the "
                    f"first one's prediction, unless no more were wanted. Use {_FRAME}"
                )
            )

    def _score(self) -> None:
        given, self._given = self._given, []
        with self._told():
            if not given:
                raise SqlscoreError(f"the frame of predict_over ends before its row. Use {_FRAME}")
            self._scored.extend(self._scores.rows(str(self._model), given))
        self._ended, self._alone = len(given) != _AHEAD + 1, len(given)

    def _look(self, model: Any, values: tuple[Any, ...]) -> None:
        """A row that is not like the one before it."""
        wrong = None
        if not values:
            wrong = "predict_over takes a model's name and a value for each feature"
        elif self._ended:
            wrong = f"predict_over gives each row its own prediction only {_FRAME}"
        elif self._model is not None:
            wrong = "predict_over takes one model for all rows of a window"
        if wrong is not None:
            self._given, self._alone = [], 0  # so that the end says nothing more
            with self._told():
                raise SqlscoreError(wrong)
        self._model = model
