"""How far another execution provider is from the CPU on drawn rows, and how fast: measured once.

The parity rule asks for the CPU's bits of the CPU only. Every other provider is held to what was
measured of it for the model, which is kept with the version and told with each run.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.errors import ModelError, ProviderError
from sqlscore.predictor.constants import constant_inputs, constants_of
from sqlscore.prove.proof import ROWS, runnable
from sqlscore.prove.trial import trial_of
from sqlscore.session import AUTO, PROVIDERS, Session, available, refuse_options, runtime_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlscore.graph import Graph
    from sqlscore.prove.proof import Proof
    from sqlscore.prove.trial import Outputs, Trial
    from sqlscore.signature import Signature

_TIMED = 2048  #: rows of a timed run, at most: the drawn ones again and again
_VALUES = 2**22  #: of an input in a timed run, at most
_AGREES = 1e-3  #: what `auto` takes for the same predictions: the share of other labels too


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was found about a provider and a model."""

    provider: str
    onnxruntime: str  #: version
    options: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    difference: float = 0.0  #: the largest to the CPU: absolute up to 1, relative beyond
    labels: float = 0.0  #: the largest share of rows with another label, or another text
    speed: float = 0.0  #: how many times as fast as one thread of the CPU
    share: float = 1.0  #: of the model's operators that it runs; the CPU runs the others
    refused: str | None = None  #: why the provider does not take the model

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Measured:
        """What `to_json` gave; fields that a later version added are left out."""
        known = {one.name for one in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in json.loads(text).items() if k in known})

    def holds(self, onnxruntime: str, options: Mapping[str, str]) -> bool:
        """Whether it was measured as it would be now."""
        return (self.onnxruntime, dict(self.options)) == (onnxruntime, dict(options))

    @property
    def agrees(self) -> bool:
        """Whether its predictions pass for the CPU's."""
        return self.refused is None and max(self.difference, self.labels) <= _AGREES

    def __str__(self) -> str:
        if self.refused is not None:
            return f"{self.provider} refuses the model"
        labels = f", {self.labels:.2%} other labels" if self.labels else ""
        part = f"; {1 - self.share:.0%} of the operators run on the cpu" if self.share < 1 else ""
        return (
            f"{self.provider}: largest difference to the cpu {self.difference:.2g}{labels}, "
            f"{self.speed:.1f} times as fast as one thread of it, on {self.rows} drawn rows{part}"
        )


def measure(
    graph: Graph,
    signature: Signature,
    proof: Proof,
    provider: str,
    *,
    options: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
) -> Measured:
    """Run drawn rows on the CPU and on another provider; a refusal is an answer too.

    The rows are those of the proof. Raises ModelError where the model takes none of them.
    """
    chosen = dict(options or {})
    known = constants_of(signature, constants or {}, all=False)
    drawn = trial_of(graph, signature, known, rows=ROWS, seed=0)
    trial = _many(drawn, rowwise=proof.rowwise)
    step = 1 if proof.rowwise else trial.rows
    model = runnable(graph, proof)
    expected, usual = _timed(trial, Session(model), step)
    try:
        session = Session(model, provider=provider, options=chosen)
        found, seconds = _timed(trial, session, step)
    except (ProviderError, ModelError) as error:
        return Measured(
            provider=provider, onnxruntime=runtime_version(), options=chosen, refused=str(error)
        )
    difference, labels = _apart(expected, found)
    return Measured(
        provider=provider,
        onnxruntime=runtime_version(),
        options=chosen,
        rows=drawn.rows,
        difference=difference,
        labels=labels,
        speed=usual / max(seconds, 1e-9),
        share=session.share,
    )


def automatic(
    measured: Callable[[str], Measured], options: Mapping[str, str], *, threads: int
) -> tuple[str, str]:
    """The provider that ``auto`` takes of those that are here, and why.

    `measured` gives what was found about one. Raises ProviderError for `options`.
    """
    refuse_options(AUTO, options)
    others = [name for name in available() if name != "cpu"]
    return best({name: measured(name) for name in others}, threads=threads)


def best(measured: Mapping[str, Measured], *, threads: int) -> tuple[str, str]:
    """The provider that `auto` takes, and why; the CPU where no other is faster and agrees.

    `threads` score side by side on the CPU; a device takes the place of all of them.
    """
    gains = {
        name: one.speed / (threads if PROVIDERS[name].device else 1)
        for name, one in measured.items()
        if one.agrees
    }
    taken = max(gains, key=lambda name: gains[name], default="cpu")
    if gains.get(taken, 0.0) <= 1.0:
        taken = "cpu"
    others = [str(one) for name, one in measured.items() if name != taken]
    if taken != "cpu":
        others.insert(0, str(measured[taken]))
    return taken, "; ".join(others) or "no other provider is installed"


def _many(trial: Trial, *, rowwise: bool) -> Trial:
    """The trial with its rows again and again, as many as are worth timing."""
    constants = constant_inputs(trial.signature)
    fed = {name: array for name, array in trial.feeds.items() if name not in constants}
    width = max(array.size // trial.rows for array in fed.values())
    rows = trial.rows if rowwise else max(trial.rows, min(_TIMED, _VALUES // max(width, 1)))
    again = np.arange(rows) % trial.rows
    feeds = {name: array[again] if name in fed else array for name, array in trial.feeds.items()}
    return dataclasses.replace(trial, feeds=feeds, rows=rows)


def _timed(trial: Trial, session: Session, step: int) -> tuple[Outputs, float]:
    """What a session gives for all rows, and how long it takes once it is warm."""
    found = trial.run(session, step)
    began = time.perf_counter()
    trial.run(session, step)
    return found, time.perf_counter() - began


def _apart(expected: Outputs, found: Outputs) -> tuple[float, float]:
    """The largest difference of numbers, and the largest share of other labels."""
    difference = labels = 0.0
    for name, one in expected.items():
        other = found[name]
        if one.shape != other.shape:
            return float("inf"), 1.0
        if one.dtype.kind == "f":
            difference = max(difference, _difference(one, other))
        else:
            labels = max(labels, float(np.mean(one != other)) if one.size else 0.0)
    return difference, labels


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not (np.isfinite(a) & np.isfinite(b))[~same].all():
        return float("inf")
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b) / np.fmax(1.0, np.abs(a))
    return float(np.max(np.where(same, 0.0, apart), initial=0.0))
