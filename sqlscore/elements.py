"""ONNX's element types, as numpy has them: what a session is fed. No Arrow is needed for it."""

from __future__ import annotations

from typing import Any

import numpy as np

#: floating-point element types that neither numpy nor Arrow has
SMALL_FLOATS = ("bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz")

#: ONNX element type (as ONNX Runtime prints it, without ``tensor()``) -> what a session is fed;
#: small floats go in as float32
DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    **dict.fromkeys(SMALL_FLOATS, np.dtype(np.float32)),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
    "uint32": np.dtype(np.uint32),
    "uint64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
    "string": np.dtype(np.object_),
}
