"""A model as bytes, and how many there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import EncodeError

from sqlscore.errors import ModelError

if TYPE_CHECKING:
    import onnx

LIMIT = 2**31 - 1  #: bytes: protobuf, and so ONNX, keeps no larger message


def serialized(model: onnx.ModelProto, name: str) -> bytes:
    """Equal bytes for equal models. ModelError where they are too many; it says `name`."""
    try:
        whole: bytes = model.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise ModelError(too_large(name)) from error
    return whole


def too_large(name: str) -> str:
    """What to say of a model that is past the limit."""
    return (
        f"{name} is over 2 GB, which is the most that one ONNX model may be. "
        "Use a smaller or quantised model."
    )
