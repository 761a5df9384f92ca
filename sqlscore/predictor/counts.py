"""What was NULL, NaN, infinite or unknown on the way in and on the way out, counted by name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How many values of one feature or prediction were not what a model expects."""

    nulls: int = 0
    nans: int = 0
    infinities: int = 0  #: ±inf in the column itself
    overflows: int = 0  #: features only: finite in the column, ±inf in the model's type
    truncated: int = 0  #: features only: to the whole number that stands for it (types lossy)
    unknown: int = 0  #: features only: a category that the graph does not know
    outside: int = 0  #: features only: out of the range that the model's metadata gives

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{kind: n + getattr(other, kind) for kind, n in asdict(self).items()})

    def __bool__(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The tallies of a batch, a range or a run; add them up with ``+``.

    A name is there only if something was counted. `rows` counts all rows, but those that could not
    be scored and were left out, which are `bad`, and of which nothing else is counted. NULLs and
    truncated values are counted in all rows; everything else in those that the model scored.
    """

    rows: int = 0
    bad: int = 0
    features: Mapping[str, Tally] = field(default_factory=dict)
    predictions: Mapping[str, Tally] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            bad=self.bad + other.bad,
            features=_sum(self.features, other.features),
            predictions=_sum(self.predictions, other.predictions),
        )

    def __str__(self) -> str:
        return self.to_json()

    def tallies_of(self, prefix: str) -> Counts:
        """The tallies alone, their names behind a prefix: what is one model's among several."""
        return Counts(
            features={prefix + name: tally for name, tally in self.features.items()},
            predictions={prefix + name: tally for name, tally in self.predictions.items()},
        )

    def to_json(self) -> str:
        """JSON text, zeros left out."""
        return json.dumps(
            {
                "rows": self.rows,
                **({"bad": self.bad} if self.bad else {}),
                "features": _plain(self.features),
                "predictions": _plain(self.predictions),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """What `to_json` wrote."""
        found = json.loads(text)
        return cls(
            rows=found["rows"],
            bad=found.get("bad", 0),
            features={name: Tally(**tally) for name, tally in found["features"].items()},
            predictions={name: Tally(**tally) for name, tally in found["predictions"].items()},
        )


def _sum(one: Mapping[str, Tally], other: Mapping[str, Tally]) -> dict[str, Tally]:
    names = dict.fromkeys((*one, *other))
    return {name: one.get(name, Tally()) + other.get(name, Tally()) for name in names}


def _plain(tallies: Mapping[str, Tally]) -> dict[str, dict[str, int]]:
    return {
        name: {kind: n for kind, n in asdict(tally).items() if n} for name, tally in tallies.items()
    }
