"""The registry, on every database: versions, aliases, parts, concurrency, tampering."""

from __future__ import annotations

import getpass
import hashlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import onnx
import pytest
import sqlalchemy as sa

from sqlscore import tables
from sqlscore.errors import DatabaseError, ModelError, RegistryError
from sqlscore.model import stored
from sqlscore.registry import Registry, candidate, model_rows
from tests.fixtures import models

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import Database

T = TypeVar("T")


@pytest.fixture
def registry(database: Database) -> Registry:
    return Registry(database.engine, database.product)


def small(constant: float = 1.0) -> bytes:
    """A model of few bytes; other bytes for another constant."""
    body = f"c = Constant <value = float[1] {{{constant}}}> () y = Add(x, c)"
    return models.written(f"g (float[N,1] x) => (float[N,1] y) {{ {body} }}")


def owned(database: Database) -> tables.Tables:
    return tables.owned(schemas=database.product.schemas)


def count(database: Database, table: sa.Table) -> int:
    with database.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_reading_creates_nothing(registry: Registry, database: Database):
    assert registry.names() == ()
    assert registry.versions("churn") == ()
    assert registry.aliases("churn") == {}
    for act in (
        lambda: registry.get("churn"),
        lambda: registry.alias("churn", "production", 1),
        lambda: registry.unalias("churn", "production"),
        lambda: registry.remove("churn:1"),
    ):
        with pytest.raises(RegistryError, match="This database has no model yet"):
            act()
    with database.engine.connect() as connection:
        assert tables.layout_version(connection, owned(database)) == 0


def test_a_model_comes_back_as_it_was_added(registry: Registry, database: Database):
    model = models.one_hot()
    added = registry.add(
        "Kündigung-2.b",
        model,
        outputs={"score": "output_probability[1]"},
        drop=["output_label"],
        alias="production",
    )
    assert (added.name, added.version, str(added)) == ("Kündigung-2.b", 1, "Kündigung-2.b:1")
    assert added.sha256 == hashlib.sha256(model).hexdigest()
    assert added.size == len(model)
    assert not added.proof.rowwise
    found = Registry(database.engine, database.product).get("Kündigung-2.b@production")
    assert found == added
    assert (found.features, found.outputs, found.drop) == (
        None,
        {"score": "output_probability[1]"},
        ("output_label",),
    )
    assert abs((tables.now() - found.created_at).total_seconds()) < 60
    assert registry.graph(found).stored == model
    loaded = stored(registry, "Kündigung-2.b")
    assert (loaded.name, loaded.version) == ("Kündigung-2.b", 1)
    assert [p.name for p in loaded.signature.predictions] == ["output_probability_0", "score"]
    assert loaded.proof == added.proof


def test_a_large_model_is_stored_in_parts(registry: Registry, database: Database):
    # random bytes need the most room in a packet, since drivers quote some of them
    weights = np.random.default_rng(0).normal(size=(1000, 1500)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["N", 1000])],
        [onnx.helper.make_tensor_value_info("y", 1, ["N", 1500])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    large = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    added = registry.add("large", large)
    assert added.size > 6_000_000
    parts = owned(database).model_parts
    assert count(database, parts) == -(-added.size // model_rows.PART)
    with database.engine.connect() as connection:
        sizes = [len(b) for b in connection.scalars(sa.select(parts.c.bytes))]
    assert max(sizes) <= 4_000_000
    assert registry.graph(added).stored == large.SerializeToString()


def test_the_same_bytes_and_options_give_the_version_that_is_there(registry: Registry):
    first = registry.add("churn", small(1), features=["a"])
    assert registry.add("churn", small(1), features=["a"]) == first
    assert registry.add("churn", small(1)).version == 2
    assert registry.add("churn", small(1), features=["a"], outputs={"s": "y"}).version == 3
    assert registry.add("churn", small(2), features=["a"]).version == 4
    assert registry.add("churn", small(1), features=["a"], alias="old") == first
    assert registry.aliases("churn") == {"old": 1}
    assert registry.add("other", small(1), features=["a"]).version == 1
    assert registry.names() == ("churn", "other")
    assert [v.version for v in registry.versions("churn")] == [1, 2, 3, 4]


def test_a_version_is_named_by_number_alias_or_as_the_newest(registry: Registry):
    for constant in (1, 2, 3):
        registry.add("churn", small(constant))
    registry.alias("churn", "production", 2)
    assert registry.get("churn").version == 3
    assert registry.get("churn:1").version == 1
    assert registry.get("churn@production").version == 2
    registry.alias("churn", "production", 1)
    registry.alias("churn", "Production", 3)
    assert registry.aliases("churn") == {"Production": 3, "production": 1}
    registry.unalias("churn", "production")
    assert registry.aliases("churn") == {"Production": 3}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("chrun", r"no model 'chrun'. There are: 'churn', 'fraud'. Did you mean 'churn'\?"),
        ("Churn", r"no model 'Churn'.* Did you mean 'churn'\?"),
        ("churn:7", "model 'churn' has no version 7; it has versions 1, 2"),
        ("fraud:2", "it has version 1"),
        ("churn@prod", r"no alias 'prod'; it has 'production'.*"),
        ("fraud@production", "model 'fraud' has no alias 'production'; it has none"),
        ("churn:production", "after the colon stands a number.*'churn@production'"),
        ("churn:-1", "names no version"),
        ("", "cannot be the name of a model"),
        ("churn@", "cannot be the alias"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(registry: Registry, spec: str, message: str):
    registry.add("churn", small(1))
    registry.add("churn", small(2), alias="production")
    registry.add("fraud", small(3))
    with pytest.raises(RegistryError, match=message):
        registry.get(spec)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a b", "not ' '"),
        ("a@b", "not '@'"),
        ("a:b", "not ':'"),
        ("a/b", "not '/'"),
        ("x'; DROP TABLE y", "not ' ' \"'\" ';'"),
        ("a\x00", "cannot be the name"),
        ("", "at least one"),
        ("x" * 191, "191 characters, and at most 190"),
    ],
)
def test_names_that_cannot_be_are_refused(registry: Registry, name: str, message: str):
    with pytest.raises(RegistryError, match=message):
        registry.add(name, small())
    with pytest.raises(RegistryError, match="alias"):
        registry.add("fine", small(), alias=name)
    assert registry.names() == ()


def test_names_differ_by_case_and_not_by_how_unicode_writes_them(registry: Registry):
    registry.add("Name", small(1))
    registry.add("name", small(2))
    registry.add("n\N{LATIN SMALL LETTER A WITH DIAERESIS}", small(3))
    assert registry.names() == ("Name", "name", "nä")
    assert registry.get("na\N{COMBINING DIAERESIS}").version == 1
    assert registry.get("Name").sha256 != registry.get("name").sha256


def test_no_model_is_no_version(registry: Registry, database: Database):
    with pytest.raises(ModelError):
        registry.add("churn", b"not a model")
    assert registry.names() == ()


def test_what_an_alias_uses_is_not_removed(registry: Registry):
    registry.add("churn", small(1), alias="production")
    registry.add("churn", small(2))
    with pytest.raises(RegistryError, match="churn:1 is in use by the alias 'production'"):
        registry.remove("churn:1")
    for spec in ("churn", "churn@production"):
        with pytest.raises(RegistryError, match=r"does not say which version.*'churn:1'"):
            registry.remove(spec)
    registry.alias("churn", "production", 2)
    registry.remove("churn:1")
    assert [v.version for v in registry.versions("churn")] == [2]
    with pytest.raises(RegistryError, match="no version 1; it has version 2"):
        registry.alias("churn", "production", 1)
    with pytest.raises(RegistryError, match="no version 1"):
        registry.remove("churn:1")


def test_parts_go_with_the_last_version_and_numbers_never_come_back(
    registry: Registry, database: Database
):
    parts = owned(database).model_parts
    registry.add("churn", small(1))
    registry.add("copy", small(1))
    assert count(database, parts) == 1
    registry.remove("churn:1")
    assert count(database, parts) == 1
    assert registry.graph(registry.get("copy")).stored == small(1)
    registry.remove("copy:1")
    assert count(database, parts) == 0
    assert registry.names() == ()
    assert registry.add("churn", small(1)).version == 2
    assert registry.graph(registry.get("churn")).stored == small(1)


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_tampered_bytes_are_never_run(registry: Registry, database: Database, how: str):
    added = registry.add("churn", small(1), alias="production")
    parts = owned(database).model_parts
    change = {
        "changed": parts.update().values(bytes=small(2)),
        "cut": parts.update().values(bytes=small(1)[:-1]),
        "gone": parts.delete(),
    }[how]
    with database.engine.begin() as connection:
        connection.execute(change)
    with pytest.raises(RegistryError, match=r"model 'churn', version 1, .*changed in the database"):
        registry.graph(added)
    with pytest.raises(RegistryError, match="model 'churn', version 1"):
        stored(registry, "churn@production")


def together(*work: Callable[[], T]) -> list[T]:
    """The results of several functions that start at the same moment, each in its own thread."""
    start = threading.Barrier(len(work))

    def one(function: Callable[[], T]) -> T:
        start.wait()
        return function()

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one, w) for w in work]]


def test_concurrent_adds_of_one_name_give_one_version_each(database: Database):
    # each with its own connections, as two processes would; the tables are not there yet either
    registries = [Registry(database.engine, database.product) for _ in range(6)]
    versions = together(
        *[lambda r=r, c=c: r.add("churn", small(c)) for c, r in enumerate(registries)]
    )
    assert sorted(v.version for v in versions) == [1, 2, 3, 4, 5, 6]
    for constant, version in enumerate(versions):
        assert registries[0].graph(version).stored == small(constant)


def test_concurrent_adds_of_the_same_model_give_the_same_version(database: Database):
    registry = Registry(database.engine, database.product)
    versions = together(*[lambda: registry.add("churn", small(), alias="new")] * 5)
    assert {v.version for v in versions} == {1}
    assert registry.aliases("churn") == {"new": 1}


def test_bytes_are_there_whatever_is_added_and_removed_meanwhile(database: Database):
    registry = Registry(database.engine, database.product)
    registry.add("first", small())

    def add_and_remove(name: str) -> None:
        for _ in range(4):
            version = registry.add(name, small())
            assert registry.graph(version).stored == small()
            registry.remove(str(version))

    together(*[lambda n=n: add_and_remove(n) for n in ("a", "b", "c")])
    assert registry.graph(registry.get("first:1")).stored == small()
    registry.remove("first:1")
    assert count(database, owned(database).model_parts) == 0


def test_a_newer_layout_is_not_touched(registry: Registry, database: Database):
    registry.add("churn", small(1))
    layout = owned(database).layout
    with database.engine.begin() as connection:
        connection.execute(layout.update().values(version=tables.LAYOUT + 1))
    with pytest.raises(DatabaseError, match="Upgrade sqlscore"):
        registry.add("churn", small(2))


def test_a_database_that_is_not_there_is_told_without_its_password():
    from sqlscore.products import engine_for, product_for

    engine = engine_for("postgresql+psycopg://someone:geheim@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseError, match="listing models failed") as error:
        Registry(engine, product_for(engine)).names()
    assert "geheim" not in f"{error.value}{Registry(engine, product_for(engine))!r}"


@pytest.mark.parametrize("url", ["sqlite://", "duckdb:///:memory:"])
def test_a_database_in_memory_keeps_models_too(url: str):
    from sqlscore.products import engine_for, product_for

    engine = engine_for(url)
    registry = Registry(engine, product_for(engine))
    version = registry.add("churn", small(), alias="production")
    assert registry.graph(registry.get("churn@production")).stored == small()
    assert registry.versions("churn") == (version,)
    engine.dispose()


def test_the_history_of_an_alias_says_who_when_and_where_to(database: Database):
    registry = Registry(database.engine, database.product)
    for constant in (1, 2, 3):
        registry.add("churn", small(constant))
    with pytest.raises(RegistryError, match=r"no alias 'production'; it has none"):
        registry.history("churn", "production")
    registry.alias("churn", "production", 1)
    registry.alias("churn", "production", 1)  # no change
    registry.alias("churn", "production", 3)
    registry.unalias("churn", "production")
    registry.add("churn", small(2), alias="production")
    changes = registry.history("churn", "production")
    assert [(c.number, c.version) for c in changes] == [(1, 1), (2, 3), (3, None), (4, 2)]
    users = {c.system_user for c in changes}
    assert users == {f"{getpass.getuser()}@{socket.gethostname()}"}
    owner = {"mssql": "dbo"}  # a server's owner has another name in its databases
    ours = owner.get(database.name, str(database.engine.url.username))
    assert all((c.database_user or "None").startswith(ours) for c in changes)
    assert all(abs((tables.now() - c.changed_at).total_seconds()) < 60 for c in changes)


def test_a_rollback_goes_to_where_the_alias_pointed_before(registry: Registry):
    for constant in (1, 2):
        registry.add("churn", small(constant), alias="production")
    assert registry.rollback("churn", "production") == 1
    assert registry.rollback("churn", "production") == 2
    registry.unalias("churn", "production")
    assert registry.rollback("churn", "production") == 2
    assert registry.aliases("churn") == {"production": 2}
    registry.remove("churn:1")
    with pytest.raises(RegistryError, match="no version 1; it has version 2"):
        registry.rollback("churn", "production")
    registry.alias("churn", "new", 2)
    with pytest.raises(RegistryError, match="churn@new has pointed to no other version before"):
        registry.rollback("churn", "new")


def test_an_alias_from_before_there_was_a_history_rolls_back_too(
    registry: Registry, database: Database
):
    for constant in (1, 2):
        registry.add("churn", small(constant))
    with database.engine.begin() as connection:
        connection.execute(
            owned(database).aliases.insert(),
            {"name": "churn", "alias": "old", "version": 1, "changed_at": tables.now()},
        )
    registry.alias("churn", "old", 2)
    assert [(c.version, c.system_user is None) for c in registry.history("churn", "old")] == [
        (1, True), (2, False),
    ]  # fmt: skip
    assert registry.rollback("churn", "old") == 1


def test_a_copy_in_another_database_is_the_same(
    database: Database, sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    here = Registry(database.engine, database.product)
    there = Registry(sqlite.engine, sqlite.product)
    if database.name == "sqlite":
        there = here
    first = here.add("churn", models.one_hot(), outputs={"score": "output_probability[1]"})
    monkeypatch.setattr(candidate, "prove", None)  # the proof comes along
    copied = here.copy("churn:1", there, name="copy", alias="production")
    assert str(there.get("copy@production")) == "copy:1"
    assert (copied.sha256, copied.outputs, copied.proof) == (
        first.sha256, first.outputs, first.proof,
    )  # fmt: skip
    assert there.graph(copied).stored == models.one_hot()
    assert here.copy("churn", there, name="copy") == copied  # it is there
    monkeypatch.undo()
    here.add("old", small(1))
    monkeypatch.setattr(candidate, "runtime_version", lambda: "another")
    proved: list[object] = []

    def prove(graph: object, _signature: object, **_: object) -> object:
        proved.append(graph)
        return first.proof

    monkeypatch.setattr(candidate, "prove", prove)
    here.copy("old", there, name="proved")
    assert len(proved) == 1
