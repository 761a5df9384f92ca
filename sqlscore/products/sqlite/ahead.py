"""``predict_over`` as a window function, by which SQLite hands over rows that are still to come.

A scalar function must answer for a row before it sees the next one. A window function is given all
rows of its frame first: with a frame of this row and 4,000 that follow, the model runs once in
4,000 rows. What it gives is the prediction of the frame's first row.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlscore.products.functions import Scores


class PredictOver:
    """One window of a statement, of which SQLite makes an object for each partition."""

    def __init__(self, scores: Scores, told: Callable[[], AbstractContextManager[None]]) -> None:
        """`told` keeps the words of an error, which the module hides."""
        self._scores = scores
        self._told = told
        self._model: str | None = None
        self._given: list[tuple[Any, ...]] = []  # rows of the frame that are not scored yet
        self._scored: deque[Any] = deque()  # predictions of the rows before them

    def step(self, model: Any = None, *values: Any) -> None:
        """Take a row that enters the frame at its end."""
        if model != self._model:
            self._take(model, values)
        self._given.append(values)

    def inverse(self, *_: Any) -> None:
        """Let the first row of the frame go."""
        if self._scored:
            self._scored.popleft()
        else:
            del self._given[0]

    def value(self) -> Any:
        """The prediction of the frame's first row; NULL where the frame is empty."""
        if not self._scored and self._given:
            with self._told():
                self._scored.extend(self._scores.rows(str(self._model), self._given))
            self._given.clear()
        return self._scored[0] if self._scored else None

    finalize = value

    def _take(self, model: Any, values: tuple[Any, ...]) -> None:
        with self._told():
            if not values:
                raise SqlscoreError(
                    "predict_over takes a model's name and a value for each feature"
                )
            if self._model is not None:
                raise SqlscoreError("predict_over takes one model for all rows of a window")
        self._model = model
