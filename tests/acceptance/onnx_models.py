"""Every model of onnx's own backend tests, one after the other: ``python onnx_models.py``.

For each it prints one line of JSON before and one after, so that who reads them knows which model
it was that ended the process.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

import sqlscore
from sqlscore.graph.nodes import true_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onnx.backend.test.case.test_case import TestCase

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")

#: what a file of data holds by the declared type, and what makes numpy's values of that
_READERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "tensor_type": (onnx.TensorProto, numpy_helper.to_array),
    "sequence_type": (onnx.SequenceProto, numpy_helper.to_list),
    "optional_type": (onnx.OptionalProto, numpy_helper.to_optional),
}


def cases() -> Iterator[tuple[str, TestCase]]:
    """Every test with its full name: ``node/test_abs``."""
    for kind in KINDS:
        for case in load_model_tests(kind=kind):
            yield f"{kind}/{case.name}", case


def opened(case: TestCase) -> tuple[onnx.ModelProto, Any]:
    """The test's model, and its inputs with their expected outputs."""
    if case.model is not None:
        return case.model, case.data_sets
    if case.url is not None:
        return _light(Path(DATA_DIR).parents[3] / case.url)
    folder = Path(str(case.model_dir))
    model = onnx.load(folder / "model.onnx")
    return model, [
        (_values(part, "input", model.graph.input), _values(part, "output", model.graph.output))
        for part in sorted(folder.glob("test_data_set_*"))
    ]


def _light(path: Path) -> tuple[onnx.ModelProto, Any]:
    """A well-known network with made-up weights, on onnx's own dummy input."""
    model = onnx.load(path)
    images = [Runner.generate_dummy_data(value) for value in true_inputs(model.graph)]
    file = path.with_name(f"{path.stem}_output_0.pb")
    return model, [(images, [_value(file, model.graph.output[0])])]


def _values(folder: Path, what: str, declared: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    files = [folder / f"{what}_{i}.pb" for i in range(len(list(folder.glob(f"{what}_*.pb"))))]
    return [_value(file, one) for file, one in zip(files, declared, strict=False)]


def _value(file: Path, declared: onnx.ValueInfoProto) -> Any:
    kind, reader = _READERS[declared.type.WhichOneof("value")]
    return reader(kind.FromString(file.read_bytes()))


def outcome(case: TestCase) -> dict[str, str]:
    """What came of a test: ``matched``, ``as onnxruntime``, ``wrong``, or the error's name."""
    model, sets = opened(case)
    found = "matched"
    try:
        loaded = sqlscore.load(model)
        for inputs, outputs in sets:
            feeds = _named(true_inputs(model.graph), inputs)
            answer = loaded.predict(feeds)
            expected = _named(model.graph.output, outputs)
            if not _alike(answer, expected, rtol=case.rtol, atol=case.atol):
                found = "as onnxruntime" if _alike(answer, _judged(model, feeds)) else "wrong"
    except sqlscore.SqlscoreError as error:
        return {"outcome": type(error).__name__, "why": str(error)}
    return {"outcome": found}


def _named(values: Sequence[onnx.ValueInfoProto], given: Sequence[Any]) -> dict[str, Any]:
    arrays = [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in given]
    return {value.name: array for value, array in zip(values, arrays, strict=False)}


def _judged(model: onnx.ModelProto, feeds: dict[str, Any]) -> dict[str, Any]:
    """What onnxruntime itself answers."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    arrays = {n: np.asarray(v) if np.isscalar(v) else v for n, v in feeds.items()}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, arrays)))  # noqa: B905


def _alike(found: Any, expected: Any, **tolerance: float) -> bool:
    """Whether two answers agree; without a tolerance they are equal, NaN to NaN."""
    if isinstance(expected, dict):
        return set(expected) <= set(found) and all(
            _alike(found[name], value, **tolerance) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(_alike(a, b, **tolerance) for a, b in zip(found, expected, strict=True))
        )
    if found is None or expected is None:
        return found is expected
    one, other = np.asarray(found), np.asarray(expected)
    if one.shape != other.shape or (one.dtype.kind in "OU") != (other.dtype.kind in "OU"):
        return False
    if other.dtype.kind in "OU":
        return bool((one.astype(object) == other.astype(object)).all())
    # small floats come out as float32
    wide = np.complex128 if "c" in one.dtype.kind + other.dtype.kind else np.float64
    limits = tolerance or {"rtol": 0.0, "atol": 0.0}
    return bool(np.allclose(one.astype(wide), other.astype(wide), equal_nan=True, **limits))


def main() -> None:
    warnings.simplefilter("ignore")  # onnx makes its data with overflows and divisions by zero
    for name, case in cases():
        print(json.dumps({"begun": name}), flush=True)  # noqa: T201
        try:
            found = outcome(case)
        except Exception as error:  # noqa: BLE001 - that there is none is what the test is about
            found = {"outcome": "raised", "why": f"{type(error).__name__}: {error}"}
        print(json.dumps({"name": name, **found}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
