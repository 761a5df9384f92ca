"""How much work a graph is for a row."""

from __future__ import annotations

import onnx
import pytest

from sqlscore.costs import samples
from sqlscore.graph.size import Size, size_of
from tests.fixtures import models


def test_full_trees_have_their_depth_on_every_way():
    size = size_of(samples.forest(4, 3))
    assert (size.visits, size.copies, size.leaves) == (12, 12, 32)


def test_trees_that_grow_leaf_by_leaf_are_deeper_than_balanced_ones():
    size = size_of(onnx.load_from_string(models.lightgbm(4, 10)))
    assert size.visits > 10 * 3
    assert size.calls == 1


def test_terms_calls_and_categories_are_counted():
    assert size_of(samples.linear()) == Size(weights=20)
    assert size_of(samples.layered()) == Size(weights=16, terms=20 * 16 + 16)
    assert size_of(samples.curved()).calls == pytest.approx(1)
    assert size_of(samples.encoded()) == Size(lookups=25)
