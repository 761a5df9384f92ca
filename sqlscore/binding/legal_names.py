"""Names of columns that a product takes: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def legal_name(name: str, *, limit: int, taken: Iterable[str] = ()) -> str:
    """A column name that a product takes, as near to `name` as can be.

    At most `limit` bytes of UTF-8, cut at a whole character; without control characters; not
    equal to one of `taken`, upper and lower case alike: a number is put behind it where it is.
    """
    clean = "".join(c for c in name if c.isprintable()).strip() or "prediction"
    folded = {other.casefold() for other in taken}
    candidate = _cut(clean, limit)
    number = 2
    while candidate.casefold() in folded:
        suffix = f"_{number}"
        candidate = _cut(clean, limit - len(suffix)) + suffix
        number += 1
    return candidate


def _cut(name: str, limit: int) -> str:
    return name.encode()[:limit].decode(errors="ignore")
