"""Numbers that a feature's type does not hold: taken, refused or made to fit, by policy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.errors import SignatureError
from sqlscore.predictor.scalars import as_number, changed
from sqlscore.predictor.type_rules import TypeRule
from sqlscore.signature import Feature

BIG = 2**24


def feature(type_: pa.DataType) -> Feature:
    return Feature(name="f", type=type_, input="f", position=0)


@pytest.mark.parametrize(
    ("type_", "given", "refused"),
    [
        (pa.float32(), pa.array([0.5, None, np.nan, np.inf, -0.0, 2.0**-149]), ()),
        (pa.float32(), pa.array([0.1, 0.5, 1e39, 2.0**-150]), (0, 2, 3)),
        (pa.float32(), pa.array([BIG, BIG + 1, BIG + 2, None, -BIG - 1]), (1, 4)),
        (pa.float32(), pa.array([2**62, 2**63 - 1, -(2**63)]), (1,)),
        (pa.float64(), pa.array([2**53 + 1, 2**53, -(2**63)]), (0,)),
        (pa.float32(), pa.array([2**63, 2**64 - 1], pa.uint64()), (1,)),
        (pa.float16(), pa.array([2048, 2049, 70000], pa.int32()), (1, 2)),
        (pa.float32(), pa.array([True, None]), ()),
        (pa.float64(), pa.array([0.5], pa.float32()), ()),
    ],
)
def test_exact_refuses_what_would_be_rounded(type_, given, refused):
    as_number(given, feature(type_))  # safe takes them all
    fitting = given.filter(pa.array([i not in refused for i in range(len(given))]))
    assert len(as_number(fitting, feature(type_), TypeRule.EXACT)) == len(fitting)
    if refused:
        with pytest.raises(SignatureError, match="does not hold exactly") as told:
            as_number(given, feature(type_), TypeRule.EXACT)
        assert told.value.rows == refused


@pytest.mark.parametrize(
    ("type_", "given", "whole"),
    [
        (pa.int8(), pa.array([1.9, -1.9, 127.5, 200.0, -1e300, np.nan, None, np.inf]),
         [1, -1, 127, 127, -128, None, None, 127]),
        (pa.int64(), pa.array([2.0**63, -(2.0**63), 2.0**62]), [2**63 - 1, -(2**63), 2**62]),
        (pa.uint64(), pa.array([-1, 5], pa.int64()), [0, 5]),
        (pa.uint64(), pa.array([2.0**64, 0.5]), [2**64 - 1, 0]),
        (pa.int8(), pa.array([300, -300, 5], pa.int64()), [127, -128, 5]),
        (pa.bool_(), pa.array([0.9, 1.5, 7.0, -3.0]), [False, True, True, False]),
        (pa.int32(), pa.array([True, False]), [1, 0]),
    ],
)  # fmt: skip
def test_lossy_takes_the_whole_part_and_counts_it(type_, given, whole):
    column = as_number(given, feature(type_), TypeRule.LOSSY)
    assert (column.type, column.to_pylist()) == (type_, whole)
    pairs = zip(given.to_pylist(), whole, strict=True)
    # as doubles, of which 2**63 and the largest int64 are the same
    assert changed(given, column) == sum(float(w) != b for b, w in pairs if w is not None)


def test_a_decimal_is_never_exact():
    column = pa.array([1, 2]).cast(pa.decimal128(21, 2))
    with pytest.raises(SignatureError, match="which no floating-point number holds"):
        as_number(column, feature(pa.float32()), TypeRule.EXACT)
