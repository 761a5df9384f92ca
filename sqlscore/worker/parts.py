"""A part of a job: as a worker takes it from the queue, and as it gives it back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A part that a worker has taken, with what its job says."""

    job: int
    part: int
    attempts: int  #: this one counted
    model: str
    version: int
    sha256: str
    columns: str  #: JSON: the columns of the caller's query
    given: str  #: JSON: their values


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What a part becomes, as the queue holds it."""

    predicted: str  #: JSON: an array of values for each prediction
    predictions: str  #: JSON: name and type of each
    carried: str  #: JSON: the places of the columns that feed no feature
