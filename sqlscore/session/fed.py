"""What a loaded model must be fed: its inputs, and whether anything here can hold their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore.elements import DTYPES, SMALL_FLOATS
from sqlscore.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Fed:
    """One input that the loaded model must be fed."""

    name: str
    element: str  #: ONNX element type; of what is no tensor, its type as ONNX Runtime prints it
    shape: tuple[int | None, ...]  #: empty for a scalar, and where any shape will do
    batch: str | None = None  #: the name of a free first dimension


def fed_inputs(session: Any) -> tuple[Fed, ...]:
    """The inputs of an onnxruntime session, in their order."""
    return tuple(
        Fed(
            name=i.name,
            element=_element(i.type),
            shape=_shape(i.shape),
            batch=next((d for d in i.shape[:1] if isinstance(d, str)), None),
        )
        for i in session.get_inputs()
    )


def refuse_foreign(session: Any) -> None:
    """Raise ModelError for a tensor at the border whose values nothing here can hold."""
    for value in (*session.get_inputs(), *session.get_outputs()):
        element = _element(value.type)
        if element != value.type and element not in DTYPES:
            raise ModelError(
                f"{value.name!r} holds {element}, which neither numpy nor Arrow has. "
                "Cast it to another type inside the model"
            )


def has_small_floats(session: Any) -> bool:
    """Whether a float of 16 or 8 bits is at a border, which numpy and Arrow have not."""
    values = [*session.get_inputs(), *session.get_outputs()]
    return any(_element(value.type) in SMALL_FLOATS for value in values)


def _element(type_: str) -> str:
    """``tensor(int64)`` is int64; what is no tensor stays as it is."""
    inside = re.fullmatch(r"tensor\((\w+)\)", type_)
    return inside[1] if inside else type_


def _shape(shape: Sequence[object]) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in shape)
