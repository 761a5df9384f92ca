"""A run whose tensors are bound to a device: each goes there once, and what is asked comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.elements import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np


def bindable(session: Any) -> bool:
    """Whether all that goes in and out are numbers, in shapes that the model tells right.

    Text lies in no device's memory, and onnxmltools declares one row for labels of any number.
    """
    values = [*session.get_inputs(), *session.get_outputs()]
    firsts = [dimension for value in session.get_outputs() for dimension in value.shape[:1]]
    return all(map(_is_number, values)) and not any(isinstance(first, int) for first in firsts)


def _is_number(value: Any) -> bool:
    element = value.type.removeprefix("tensor(").removesuffix(")")
    return element in DTYPES and element != "string"


def run_bound(session: Any, names: Sequence[str], feeds: Mapping[str, np.ndarray]) -> list[Any]:
    """What the session gives for the feeds, as arrays in the order of the names."""
    binding = session.io_binding()
    for name, tensor in feeds.items():
        binding.bind_cpu_input(name, tensor)
    for name in names:
        binding.bind_output(name)
    session.run_with_iobinding(binding)
    values: list[Any] = binding.copy_outputs_to_cpu()
    return values
