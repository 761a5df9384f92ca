"""Which column feeds which feature, and which column takes which prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sqlscore.binding import bind, legal_name, match_features
from sqlscore.errors import SignatureError
from sqlscore.model import load
from sqlscore.types import Column
from tests.fixtures import models

if TYPE_CHECKING:
    from sqlscore.signature import Signature


def signature(features: list[str] | None = None, **chosen: Any) -> Signature:
    return load(models.logistic(2), features=features, **chosen).signature


def columns(*names: str, type_: pa.DataType | None = None) -> list[Column]:
    return [Column(name=name, type=type_ or pa.float64(), declared="double") for name in names]


LIMITS: dict[str, Any] = {"identifier_limit": 63, "column_limit": 100, "arrays": True}


def test_an_exact_name_wins_over_the_other_case():
    assert match_features(signature(["Age", "b"]), ["age", "Age", "B"]) == ("Age", "B")


def test_two_names_that_differ_in_case_are_ambiguous():
    with pytest.raises(SignatureError, match="'age' could be any of the columns 'AGE', 'Age'"):
        match_features(signature(["age", "b"]), ["AGE", "Age", "b"])


def test_what_is_missing_is_listed_with_what_is_near():
    with pytest.raises(SignatureError) as error:
        match_features(signature(["age", "spend"]), ["aged", "city"], map={"spend": "sent"})
    assert str(error.value).splitlines() == [
        "2 of the model's 2 features have no column:",
        "  'age': no such column. Did you mean 'aged'?",
        "  'spend' (map: 'sent'): no such column.",
        "The model wants: 'age', 'spend'",
        "The source has: 'aged', 'city'",
        "Bind a feature to a column of another name by map={feature: column}, or in SQL by a "
        "SELECT that names it so: column AS feature",
    ]


def test_map_binds_a_feature_to_another_column():
    found = match_features(signature(["a", "b"]), ["x", "b"], map={"a": "X"})
    assert found == ("x", "b")
    with pytest.raises(SignatureError, match="map= names 'c', which is no feature"):
        match_features(signature(["a", "b"]), ["a", "b"], map={"c": "a"})


def test_an_unnamed_block_binds_by_position_only_where_columns_were_chosen():
    bare = signature()
    assert match_features(bare, ["y", "x"], positional=True) == ("y", "x")
    for names, positional in ((["y", "x"], False), (["x"], True), (["x", "y", "z"], True)):
        with pytest.raises(SignatureError, match="does not name them"):
            match_features(bare, names, positional=positional)


def test_the_key_does_not_feed_an_unnamed_block():
    found = bind(signature(), columns("id", "x", "y"), key=["id"], positional=True, **LIMITS)
    assert list(found.columns.values()) == ["x", "y"]
    assert found.by_position


@pytest.mark.parametrize(
    ("type_", "read"),
    [
        (pa.float32(), pa.float64()), (pa.int16(), pa.float64()), (pa.uint64(), pa.float64()),
        (pa.decimal128(30, 5), pa.float64()), (pa.bool_(), pa.float64()),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_are_read_as_doubles_for_a_float(type_: pa.DataType, read: pa.DataType):
    found = bind(signature(["a", "b"]), columns("a", "b", type_=type_), key=[], **LIMITS)
    assert [f.read for f in found.features] == [read, read]
    assert found.features[0].cast == "double -> float"


@pytest.mark.parametrize("type_", [pa.string(), pa.date32(), pa.binary(), pa.timestamp("us")])
def test_what_is_no_number_is_refused_with_the_columns_name(type_: pa.DataType):
    with pytest.raises(SignatureError, match="feature 'a' wants float, and column 'a' is double"):
        bind(signature(["a", "b"]), columns("a", "b", type_=type_), key=[], **LIMITS)


def test_predictions_do_not_take_names_that_are_taken():
    found = bind(
        signature(["a", "b"]), columns("a", "b", "id"), key=["id"],
        taken=["id", "OUTPUT_LABEL", "output_label_2"], prefix="", **LIMITS,
    )  # fmt: skip
    assert found.predictions[0].column == "output_label_3"


@pytest.mark.parametrize(
    ("name", "limit", "taken", "legal"),
    [
        ("a", 63, [], "a"), ("A", 63, ["a"], "A_2"), ("a", 63, ["a", "A_2", "a_3"], "a_4"),
        ("ä" * 40, 63, [], "ä" * 31), ("x" * 63, 63, ["X" * 63], "x" * 61 + "_2"),
        ("a\x00b\n", 63, [], "ab"), ("  ", 63, [], "prediction"), ("日本", 5, [], "日"),
    ],
)  # fmt: skip
def test_legal_names(name: str, limit: int, taken: list[str], legal: str):
    assert legal_name(name, limit=limit, taken=taken) == legal


def test_more_class_scores_than_columns_become_a_list():
    several = load(models.logistic(2, labels=tuple("abcdefgh")), features=["a", "b"]).signature
    found = bind(
        several, columns("a", "b"), key=[], identifier_limit=63, column_limit=12, arrays=False
    )
    assert [(p.column, str(p.type)) for p in found.predictions][1:] == [
        ("output_probability", "string")
    ]
