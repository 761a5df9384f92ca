"""`sqlscore serve`: predictions over HTTP, for who has the key, and nothing else."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import sqlscore
from tests.fixtures import models
from tests.fixtures.scoring import FEATURES, NEWER, WEIGHED, expected, features
from tests.fixtures.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

IDS = [0, 3, 6]
X = features(IDS)
COLUMNS = {"spend": X[:, 1].tolist(), "age": X[:, 0].tolist()}
KEY = {"X-Sqlscore-Key": "a key of the tests"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('served') / 'shop.db'}"


@pytest.fixture(scope="module")
def address(url: str) -> Iterator[str]:
    with sqlscore.connect(url) as database:
        database.models.add("churn", WEIGHED, features=FEATURES, alias="production")
        database.models.add("people", models.one_hot())
    with serving(url, "--most-megabytes", "1", key=KEY["X-Sqlscore-Key"]) as found:
        yield found.removeprefix("http://")


def asked(
    address: str,
    body: Any,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    path: str = "/predict",
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        connection.request(method, path, text, KEY if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_predictions(address: str, url: str):
    status, found = asked(address, {"model": "churn@production", "columns": COLUMNS})
    wanted = {"model": "churn:1", "rows": 3, "names": ["score"]}
    assert (status, found) == (200, {**wanted, "predictions": [list(expected(IDS).values())]})
    with sqlscore.connect(url) as database:  # a newer version counts at once
        database.models.add("churn", NEWER, features=FEATURES)
    _, found = asked(address, {"model": "churn", "columns": COLUMNS})
    assert (found["model"], found["predictions"][0]) == (
        "churn:2",
        list(expected(IDS, NEWER).values()),
    )


def test_null_and_text(address: str):
    columns = {"age": [1, None], "spend": [0.5, 2], "city": ["Bern", "Genève"], "plan": ["pro"] * 2}
    status, found = asked(address, {"model": "people", "columns": columns})
    assert status == 200
    assert all(None not in one[:1] and one[1] is None for one in found["predictions"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "chrun", "columns": COLUMNS}, 404, "'chrun'"),
        ({"model": "churn", "columns": {"age": [1]}}, 400, "'spend': no such column"),
        ({"model": "churn", "columns": {"age": ["1"], "spend": [2]}}, 400, "takes a number"),
        ({"model": "churn", "columns": {"age": [1, "a"], "spend": [2, 3]}}, 400, "several kinds"),
        ({"model": "churn", "columns": {"age": [1], "spend": [2, 3]}}, 400, "different numbers"),
        ({"model": "churn"}, 400, "a request is"),
        ([], 400, "a request is"),
        ("{", 400, "no JSON"),
        ("[" * 100_000, 400, "no JSON"),
    ],
)
def test_requests_that_are_refused(address: str, body: Any, status: int, words: str):
    found, answer = asked(address, body)
    assert found == status, answer
    assert words in answer["error"]


def test_a_request_that_is_too_large_is_not_read(address: str):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.putrequest("POST", "/predict")
    for name, value in {**KEY, "Content-Length": str(2**20 + 1)}.items():
        connection.putheader(name, value)
    connection.endheaders()  # and no body
    answer = connection.getresponse()
    assert (answer.status, "send fewer rows" in answer.read().decode()) == (413, True)
    connection.close()


@pytest.mark.parametrize("headers", [{}, {"X-Sqlscore-Key": "another"}, {"X-Sqlscore-Key": "ä"}])
def test_who_has_no_key_learns_nothing(address: str, headers: dict[str, str]):
    body = {"model": "churn", "columns": COLUMNS}
    encoded = {name: value.encode() for name, value in headers.items()}
    for path in ("/predict", "/elsewhere"):
        status, found = asked(address, body, encoded, path=path)  # type: ignore[arg-type]
        assert (status, list(found)) == (401, ["error"])


def test_other_addresses(address: str):
    assert asked(address, "", {}, "GET", "/health") == (200, {"status": "ok"})
    assert asked(address, "", None, "GET", "/predict")[0] == 404
    assert asked(address, "", None, "POST", "/../predict")[0] == 404


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "a key of 16 characters"),
        (["--key-file", "short"], "a key of 16 characters"),
        (["--key-file", "long", "--certificate", "long"], "belong together"),
        (["--key-file", "long", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_served(url: str, tmp_path, more: list[str], words: str):
    (tmp_path / "short").write_text("key")
    (tmp_path / "long").write_text("a key of the tests\n")
    done = subprocess.run(
        [sys.executable, "-m", "sqlscore", "serve", "--db", url, "--port", "0", *more],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert words in " ".join(done.stderr.replace("│", " ").split())
