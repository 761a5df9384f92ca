"""How many rows of a run may be bad, and what stops it when there are more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlscore.errors import SqlscoreError, TooManyBadRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.jobs.quarantine import Quarantined

_REASONS = 3  #: that a message repeats


def allowed(given: float | str | None) -> str | None:
    """How many bad rows a run may have, as it is stored: a number of rows, or ``1%``."""
    if given is None:
        return None
    text = f"{given * 100:.12g}%" if isinstance(given, float) else str(given).strip()
    if re.fullmatch(r"\d+|\d+(\.\d+)?%", text) and not (text[-1] == "%" and float(text[:-1]) > 100):
        return text
    raise SqlscoreError(f"max_bad= takes a number of rows, or a share such as 1%, not {given!r}")


def most(text: str | None, total: int) -> int | None:
    """The number of rows that `allowed` text means for a run of so many; None: any number."""
    if text is None:
        return None
    return int(total * float(text[:-1]) / 100) if text.endswith("%") else int(text)


class Gate:
    """Counts the bad rows of a run, and stops it when there are too many."""

    def __init__(self, text: str | None, total: int, before: int) -> None:
        """`before` is how many the run has kept by now, in all its tries."""
        self._text, self._total, self._bad = text, total, before
        self._most = most(text, total)

    def let(self, bad: Sequence[Quarantined]) -> None:
        """Count the bad rows of one more range; `TooManyBadRows` before it is written."""
        self._bad += len(bad)
        if self._most is not None and self._bad > self._most:
            raise TooManyBadRows(
                f"{self._bad:,} rows of about {self._total:,} cannot be scored so far, and "
                f"max_bad= allows {self._text}: {'; '.join(_common(bad))}. The ranges before are "
                "written, with their quarantine. Mend the rows or allow more, and start the same "
                "job again: it goes on from there"
            )


def _common(bad: Sequence[Quarantined]) -> Iterator[str]:
    """The reasons that come most often, with the number of rows."""
    reasons = [f"{one.name}: {one.reason}" if one.name else one.reason for one in bad]
    often = sorted(set(reasons), key=lambda reason: (-reasons.count(reason), reason))
    yield from (f"{reasons.count(reason):,} times {reason}" for reason in often[:_REASONS])
