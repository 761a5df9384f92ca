"""Reading models: what is refused and how it is said, and what becomes of external data."""

from __future__ import annotations

import os
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest

from sqlscore.errors import ModelError
from sqlscore.graph import Graph, read
from tests.fixtures import models

RELU = "g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }"


def test_bytes_path_and_parsed_model_give_one_graph(tmp_path):
    given = models.logistic()
    path = tmp_path / "model.onnx"
    path.write_bytes(given)
    graphs = [read(given), read(path), read(str(path)), read(onnx.load_model_from_string(given))]
    assert {graph.sha256 for graph in graphs} == {graphs[0].sha256}
    assert graphs[0].stored == given
    assert graphs[0] == graphs[1]
    assert hash(graphs[0]) == hash(graphs[1])
    assert "stored" not in repr(graphs[0])


def test_graph_can_be_pickled_and_parses_when_asked():
    graph = read(models.written(RELU))
    assert graph.proto.graph.node[0].op_type == "Relu"
    copy = pickle.loads(pickle.dumps(graph))
    assert isinstance(copy, Graph)
    assert copy == graph


def test_what_is_no_model_is_refused(tmp_path):
    whole = models.logistic()
    cases = {
        "is empty (0 bytes)": b"",
        "is not an ONNX model, or it is truncated: 11 bytes": b"hello world",
        "is not an ONNX model: it has no graph": b"\x08\x0a",
        "or it is truncated": whole[: len(whole) // 2],
    }
    for message, given in cases.items():
        with pytest.raises(ModelError) as caught:
            read(given)
        assert message in str(caught.value)
        path = tmp_path / "broken.onnx"
        path.write_bytes(given)
        with pytest.raises(ModelError, match=r"broken\.onnx"):
            read(path)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_every_truncation_is_refused(cut):
    whole = models.logistic()
    with pytest.raises(ModelError, match=r"truncated|not a valid ONNX model|no graph"):
        read(whole[: len(whole) - cut])


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(ModelError, match=r"there is no model file '.*gone\.onnx'"):
        read(tmp_path / "gone.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(
        ModelError, match=r"a model is a path, bytes or an onnx\.ModelProto, not int"
    ):
        read(42)  # type: ignore[arg-type]


def test_unknown_operators_are_named():
    with pytest.raises(ModelError, match="No Op registered for Frobnicate"):
        read(models.written("g (float[N,2] x) => (float[N,2] y) { y = Frobnicate(x) }"))
    foreign = (
        '<ir_version: 10, opset_import: ["" : 17, "acme.ops" : 1]>'
        "g (float[N,2] x) => (float[N,2] y) { y = acme.ops.Frob(x) }"
    )
    with pytest.raises(ModelError, match=r"unknown domains: acme\.ops\.Frob"):
        read(models.written(foreign))


def test_a_foreign_operator_inside_a_branch_is_found():
    text = (
        '<ir_version: 10, opset_import: ["" : 17, "acme.ops" : 1]>'
        "g (float[N,2] x, bool b) => (float[N,2] y) { y = If (b) <"
        "then_branch = t () => (float[N,2] z) { z = acme.ops.Frob(x) },"
        "else_branch = e () => (float[N,2] z) { z = Identity(x) }> }"
    )
    with pytest.raises(ModelError, match=r"acme\.ops\.Frob"):
        read(models.written(text))


def test_a_function_of_the_model_itself_is_no_foreign_operator():
    text = (
        '<ir_version: 10, opset_import: ["" : 17, "own" : 1]>'
        "g (float[N,2] x) => (float[N,2] y) { y = own.twice(x) }"
        '<domain: "own", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }'
    )
    assert read(models.written(text)).proto.functions[0].name == "twice"


@pytest.mark.parametrize(
    ("opsets", "message"),
    [
        ('"" : 99', "uses opset 99 of ai.onnx, and the onnx installed here knows up to"),
        ('"" : 17, "ai.onnx.ml" : 42', "uses opset 42 of ai.onnx.ml"),
    ],
)
def test_a_newer_opset_is_refused(opsets, message):
    with pytest.raises(ModelError, match=message):
        read(models.written(f"<ir_version: 10, opset_import: [{opsets}]>{RELU}"))


def test_a_newer_file_format_is_refused():
    with pytest.raises(ModelError, match="ir_version 99"):
        read(models.written(f'<ir_version: 99, opset_import: ["" : 17]>{RELU}'))


def test_a_model_over_two_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: takes no room
    with pytest.raises(ModelError, match="over 2 GB"):
        read(path)


def test_external_data_beside_the_model_becomes_part_of_it(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "w.bin").write_bytes(models.WEIGHT.tobytes())
    graph = read(models.with_external_data(tmp_path, "parts/w.bin"))
    (tmp_path / "parts" / "w.bin").unlink()
    rows = models.columns(5, 4).astype(np.float32)
    found = onnxruntime.InferenceSession(graph.stored).run(None, {"x": rows})[0]
    np.testing.assert_allclose(found, rows @ models.WEIGHT, rtol=1e-6)
    assert read(graph.stored).sha256 == graph.sha256


def test_external_data_changes_the_hash(tmp_path):
    path = models.with_external_data(tmp_path, "w.bin")
    hashes = set()
    for factor in (1, 2):
        (tmp_path / "w.bin").write_bytes((models.WEIGHT * factor).tobytes())
        hashes.add(read(path).sha256)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("../../../../etc/passwd", "a path out of the model's folder is refused"),
        ("parts/../../w.bin", "a path out of the model's folder is refused"),
        ("..\\w.bin", "a path out of the model's folder is refused"),
        ("/etc/passwd", "an absolute path is refused"),
        ("C:\\w.bin", "an absolute path is refused"),
        ("\\\\host\\w.bin", "an absolute path is refused"),
        ("", "an absolute path is refused"),
        ("gone.bin", "which cannot be read"),
        ("nul\0byte", "which cannot be read"),
    ],
)
def test_external_data_elsewhere_is_refused(tmp_path, location, why):
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(models.WEIGHT.tobytes())
    with pytest.raises(ModelError) as caught:
        read(models.with_external_data(folder, location))
    assert "the tensor 'w' keeps its values in the external file" in str(caught.value)
    assert why in str(caught.value)
    assert "save the model as one file" in str(caught.value)


def test_links_are_refused(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "models"
    outside.mkdir()
    folder.mkdir()
    (outside / "w.bin").write_bytes(models.WEIGHT.tobytes())
    (folder / "soft.bin").symlink_to(outside / "w.bin")
    os.link(outside / "w.bin", folder / "hard.bin")
    (folder / "parts").symlink_to(outside)
    os.mkfifo(folder / "pipe.bin")
    for location, why in (
        ("soft.bin", "a symbolic link is refused"),
        ("parts/w.bin", "a symbolic link is refused"),
        ("hard.bin", "a hard link is refused"),
        ("pipe.bin", "what is no plain file is refused"),
    ):
        with pytest.raises(ModelError, match=why):
            read(models.with_external_data(folder, location))


def test_external_data_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"1234")
    with pytest.raises(ModelError, match=r"which is shorter \(4 bytes\) than the model says"):
        read(models.with_external_data(tmp_path, "w.bin"))


def test_external_data_needs_the_models_path(tmp_path):
    (tmp_path / "w.bin").write_bytes(models.WEIGHT.tobytes())
    path = models.with_external_data(tmp_path, "w.bin")
    for source in (path.read_bytes(), onnx.load(path, load_external_data=False)):
        with pytest.raises(ModelError, match="Give the path of the model's file instead"):
            read(source)
