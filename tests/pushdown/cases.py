"""What a case of an operator is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A graph."""

    body: str  #: ``float[N,3] y`` and what makes it
    inputs: str = "float[N,3] x"
    #: only rows of small numbers: on the way ONNX Runtime overflows or cancels, in its own order
    tame: bool = False
    opset: int = 17


TEXT, WHOLE = "string[N,1] t", "int64[N,1] n"
