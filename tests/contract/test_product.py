"""What `Product` promises, on every database: types, numbers, and units that write."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Write
from sqlscore.transports.constants import constant
from tests.contract.tables import column_named, create, read, rows_in, write
from tests.contract.type_cases import differences, source_of_all_types

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

SCORES: dict[str, pa.DataType | str] = {
    "id": pa.int64(),
    "score": pa.float64(),
    "label": pa.int32(),
    "note": "varchar(40)",
}


@pytest.mark.parametrize("how", [Write.INSERT, Write.UPSERT])
def test_what_passes_through_comes_out_as_it_went_in(database: Database, how: Write) -> None:
    source, cases = source_of_all_types(database)
    for i, case in enumerate(cases):
        carried = database.product.carried(column_named(source, f"c{i}"))
        assert carried == case.carried, case.declared
    batch = read(database, source).combine_chunks().to_batches()[0]
    target = create(database, "target", {c.name: str(c.declared) for c in source.columns})
    if how is Write.UPSERT:  # one row is there, with nothing in it
        write(database, target, {"id": pa.array([0], pa.int64())})
    assert write(database, target, batch, how) == batch.num_rows
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM target").scalar() == batch.num_rows
    assert not differences(database, cases)


def test_numbers_are_read_as_double(database: Database) -> None:
    source, cases = source_of_all_types(database)
    names = [f"c{i}" for i, case in enumerate(cases) if case.number]
    batch = read(database, source, {"id": pa.int64()} | dict.fromkeys(names, pa.float64()))
    expected = zip(*rows_in(database, source, names), strict=True)
    for name, plain in zip(names, expected, strict=True):
        want = [None if v is None else float(v) for v in plain]
        got = batch[name].to_pylist()
        assert [v is None for v in got] == [v is None for v in want], name
        pairs = [(g, w) for g, w in zip(got, want, strict=True) if w is not None]
        given, wanted = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
        # Drivers print a 4-byte float with the digits that it needs, and read those as double.
        np.testing.assert_allclose(given, wanted, rtol=1e-7, atol=1e-44, err_msg=name)


def test_a_unit_keeps_nothing_without_commit(database: Database) -> None:
    target = create(database, "scores", SCORES)
    mark = create(database, "mark", {"id": pa.int64()})
    with database.product.unit(database.engine, None) as unit:
        unit.write(target, [pa.record_batch({"id": [1, 2], "score": [0.5, None]})], Write.INSERT)
        unit.execute(mark.table.insert().values(id=7))
        assert unit.fetch(sa.select(sa.func.count()).select_from(target.table)) == [(2,)]
    assert rows_in(database, target) == rows_in(database, mark) == []
    with suppress(ZeroDivisionError), database.product.unit(database.engine, None) as unit:
        unit.write(target, [pa.record_batch({"id": [1]})], Write.UPSERT)
        raise ZeroDivisionError
    assert rows_in(database, target) == []


def test_a_unit_commits_rows_and_mark_together(database: Database) -> None:
    target = create(database, "scores", SCORES)
    mark = create(database, "mark", {"id": pa.int64()})
    with database.product.unit(database.engine, None) as unit:
        unit.write(target, [pa.record_batch({"id": [1, 2], "score": [0.5, None]})], Write.INSERT)
        unit.execute(mark.table.insert().values(id=7))
        unit.commit()
    assert rows_in(database, target) == [(1, 0.5, None, None), (2, None, None, None)]
    assert rows_in(database, mark) == [(7,)]


def test_upsert_changes_inserts_and_keeps_other_columns(database: Database) -> None:
    target = create(database, "scores", SCORES)
    write(
        database, target, {"id": [1, 2], "score": [0.1, 0.2], "label": [1, 2], "note": ["a", "b"]}
    )
    with database.product.unit(database.engine, None) as unit:
        for ids in ([2, 3], [3, 4], [8, 9]):
            batch = pa.record_batch({"score": [float(i) for i in ids], "id": ids})
            assert unit.write(target, [batch], Write.UPSERT) == 2
        unit.commit()
    assert rows_in(database, target) == [
        (1, 0.1, 1, "a"),
        (2, 2.0, 2, "b"),
        *((i, float(i), None, None) for i in (3, 4, 8, 9)),
    ]


def test_update_changes_existing_rows_alone(database: Database) -> None:
    target = create(database, "scores", SCORES)
    write(database, target, {"id": [1, 2], "score": [0.1, 0.2], "note": ["a", "b"]})
    write(database, target, {"id": [2, 3], "score": [None, 3.0]}, Write.UPDATE)
    assert rows_in(database, target) == [(1, 0.1, None, "a"), (2, None, None, "b")]


@pytest.mark.parametrize("label", [7, None])
def test_a_value_of_all_rows_is_written_into_each(database: Database, label: int | None) -> None:
    target = create(database, "scores", SCORES)
    for how, note, ids in [
        (Write.INSERT, "o'c\\%", range(300)), (Write.UPSERT, "b", range(150, 450)),
        (Write.UPDATE, None, range(440, 500)),
    ]:  # fmt: skip
        alike = [constant(pa.scalar(label, pa.int8()), len(ids))]
        alike.append(constant(pa.scalar(note, pa.string()), len(ids)))
        columns = [pa.array(ids), *alike, pa.array([float(i) for i in ids])]
        names = ["id", "label", "note", "score"]
        write(database, target, pa.RecordBatch.from_arrays(columns, names=names), how)
    assert rows_in(database, target) == [
        (i, float(i), label, "o'c\\%" if i < 150 else "b" if i < 440 else None) for i in range(450)
    ]


def test_a_composite_text_key_is_matched_by_the_database(database: Database) -> None:
    columns = {"a": "varchar(20)", "b": pa.int32(), "score": pa.float64()}
    target = create(database, "scores", columns, key=("a", "b"))
    write(database, target, {"a": ["x", "y"], "b": [1, 1], "score": [0.1, 0.2]})
    rows = {"a": ["x", "x", "o'c\\%"], "b": [1, 2, 3], "score": [9.0, 8.0, 7.0]}
    write(database, target, rows, Write.UPSERT)
    write(database, target, {"a": ["y", "z"], "b": [1, 1], "score": [5.0, 5.0]}, Write.UPDATE)
    expected = [("x", 1, 9.0), ("x", 2, 8.0), ("o'c\\%", 3, 7.0), ("y", 1, 5.0)]
    assert sorted(rows_in(database, target)) == sorted(expected)


def test_rows_of_nothing_but_their_key(database: Database) -> None:
    target = create(database, "keys", {"id": pa.int64()})
    for how in (Write.INSERT, Write.UPSERT, Write.UPDATE):
        write(database, target, {"id": [1] if how is Write.INSERT else [1, 2]}, how)
    assert rows_in(database, target) == [(1,), (2,)]
    assert write(database, target, {"id": pa.array([], pa.int64())}) == 0


def test_a_duplicate_key_is_an_error_and_writes_nothing(database: Database) -> None:
    target = create(database, "scores", SCORES)
    write(database, target, {"id": [2], "score": [0.2]})
    for ids in ([1, 2], [5, 5]):
        with pytest.raises(DatabaseError, match="scores"):
            write(database, target, {"id": ids, "score": [9.0, 9.0]})
    assert rows_in(database, target) == [(2, 0.2, None, None)]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("small", pa.array([100_000], pa.int64())),
        ("small", pa.array([1.5], pa.float64())),
        ("small", pa.array(["seven"], pa.string())),
        ("single", pa.array([1e300], pa.float64())),
        ("name", pa.array(["too long for it"], pa.string())),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(
    database: Database, column: str, values: pa.Array
) -> None:
    types: dict[str, pa.DataType | str] = {
        "id": pa.int64(),
        "small": pa.int16(),
        "single": pa.float32(),
        "name": "varchar(5)",
    }
    target = create(database, "narrow", types)
    described = database.product.carried(column_named(target, column))
    if column == "name" and not _keeps_lengths(database):
        pytest.skip("the product keeps no lengths")
    if column == "small" and described.bit_width > 16 and pa.types.is_integer(values.type):
        pytest.skip("the product keeps every width")
    if column == "single" and not pa.types.is_float32(described):
        pytest.skip("the product has no 4-byte float")
    with pytest.raises(DatabaseError, match=column) as failure:
        write(database, target, {"id": [1], column: values})
    assert "too long for it" not in str(failure.value)
    assert rows_in(database, target) == []


def _keeps_lengths(database: Database) -> bool:
    return database.name in ("postgres", "mariadb", "mssql")


def test_integers_become_the_doubles_they_are(database: Database) -> None:
    target = create(database, "scores", SCORES)
    write(database, target, {"id": pa.array([1], pa.int32()), "score": pa.array([3], pa.int64())})
    write(database, target, {"id": [2], "score": pa.array([4], pa.int8())}, Write.UPSERT)
    assert [(row[0], row[1]) for row in rows_in(database, target)] == [(1, 3.0), (2, 4.0)]


def test_an_unknown_column_is_named(database: Database) -> None:
    target = create(database, "scores", SCORES)
    with pytest.raises(DatabaseError, match=r"no column 'scores'.*Did you mean 'score'"):
        write(database, target, {"id": [1], "scores": [1.0]})


def test_nan_and_infinity_where_the_product_has_them(database: Database) -> None:
    target = create(database, "scores", SCORES)
    product = database.product
    values = [0.5] + [float("nan")] * product.nan + [float("inf"), float("-inf")] * product.infinity
    for how in (Write.INSERT, Write.UPSERT):
        write(database, target, {"id": list(range(len(values))), "score": values}, how)
        found = read(database, target, {"id": pa.int64(), "score": pa.float64()})
        np.testing.assert_array_equal(found["score"].to_numpy(), np.array(values))


def test_lists_where_the_product_has_arrays(database: Database) -> None:
    if not database.product.arrays:
        pytest.skip("JSON text stands for an array")
    type_ = pa.list_(pa.float64())
    target = create(database, "lists", {"id": pa.int64(), "values": type_})
    rows: list[Any] = [[1.5, -0.0], [], None, [float("nan")]]
    for how in (Write.INSERT, Write.UPSERT):
        write(database, target, {"id": [1, 2, 3, 4], "values": pa.array(rows, type_)}, how)
        found = read(database, target, {"id": pa.int64(), "values": type_})["values"].to_pylist()
        assert repr(found) == repr(rows)


def test_text_with_a_nul_is_kept_or_refused_by_name(database: Database) -> None:
    target = create(database, "texts", {"id": pa.int64(), "note": pa.string()})
    try:
        write(database, target, {"id": [1], "note": ["a\0b"]})
    except DatabaseError as error:
        assert "'note'" in str(error)  # noqa: PT017 - either is right
        assert rows_in(database, target) == []
    else:
        assert rows_in(database, target) == [(1, "a\0b")]


def test_a_given_connection_keeps_the_last_word(database: Database) -> None:
    target = create(database, "scores", SCORES)
    with database.engine.connect() as connection:
        for keep in (False, True):
            transaction = connection.begin()
            with database.product.unit(database.engine, connection) as unit:
                unit.write(target, [pa.record_batch({"id": [1], "score": [0.5]})], Write.UPSERT)
                unit.commit()
            transaction.commit() if keep else transaction.rollback()
            connection.rollback()
            assert len(rows_in(database, target)) == keep
