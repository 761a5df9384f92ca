"""Why a model cannot be written as SQL: values that are collected, and the one error at the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One operator, or one fact of the model, that has no SQL form."""

    operator: str  #: ``Conv``, ``ai.onnx.ml.SVMRegressor``; empty where it is the model's own
    node: str  #: the node's name, or that of its first output
    why: str

    def __str__(self) -> str:
        """``Conv (node 'conv_1'): there is no SQL form of it``."""
        where = f" (node {self.node!r})" if self.operator else ""
        return f"{self.operator or self.node}{where}: {self.why}"


class Refused(Exception):
    """Raised by an operator for its own node; the walk turns it into a `Refusal`."""
