"""The images of docker/, built and run: SQL that scores inside, a server, a killed worker."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sqlscore.products import engine_for, product_for
from tests.fixtures import docker as dockers
from tests.fixtures.databases import Database
from tests.fixtures.scoring import Shop, expected, features
from tests.fixtures.servers import Unavailable, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.docker import Docker

pytestmark = pytest.mark.docker
ROWS = 2000
IDS = range(0, 3 * ROWS, 3)
PASSWORD, KEY = "a-password-of-the-tests", "a key of the tests"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    try:
        yield from dockers.engine(tmp_path_factory.mktemp("docker"))
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def ports(docker: Docker) -> Iterator[dict[str, int]]:
    """The compose file is up; where its services are published."""
    ports = {"POSTGRES_PORT": free_port(), "SERVER_PORT": free_port()}
    secrets = {"POSTGRES_PASSWORD": PASSWORD, "SQLSCORE_KEY": KEY}
    docker.environment.update({**secrets, **{name: str(port) for name, port in ports.items()}})
    try:
        docker.compose("build", "postgres", "server")
        docker.compose("up", "--detach", "postgres", "server")
        yield ports
    finally:
        docker.compose("down", "--volumes", "--remove-orphans")


@contextmanager
def opened(port: int, name: str, rows: int) -> Iterator[Shop]:
    """A database of the container, with customers and a model."""
    url = f"postgresql://shop:{PASSWORD}@127.0.0.1:{port}/{name}"
    engine = engine_for(url)
    product = product_for(engine)
    database = Database(name="postgres", url=url, engine=engine, product=product, server=None)
    try:
        yield Shop.on(database, rows=rows)
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def shop(ports: dict[str, int]) -> Iterator[Shop]:
    with opened(ports["POSTGRES_PORT"], "shop", ROWS) as shop:
        yield shop


def inside(docker: Docker, service: str, *words: str) -> str:
    return docker.compose("exec", "-T", service, *words).strip()


def test_sql_inside_the_image_scores(docker: Docker, shop: Shop):
    query = (
        "SELECT json_object_agg(id, score) FROM sqlscore.predict('churn', "
        "'SELECT id, age, spend FROM customers') AS p(id bigint, score float8)"
    )
    said = inside(docker, "postgres", "psql", "-U", "shop", "-At", "-c", query, "shop")
    assert {int(key): score for key, score in json.loads(said).items()} == expected(IDS)


def test_the_server_predicts_and_is_not_root(docker: Docker, shop: Shop, ports: dict[str, int]):
    container = docker.compose("ps", "--quiet", "server").strip()
    wait_for(lambda: health(docker, container) == "healthy")
    connection = http.client.HTTPConnection("127.0.0.1", ports["SERVER_PORT"], timeout=60)
    x = features([3, 6])
    asked = {"model": "churn", "columns": {"age": x[:, 0].tolist(), "spend": x[:, 1].tolist()}}
    connection.request("POST", "/predict", json.dumps(asked), {"X-Sqlscore-Key": KEY})
    assert json.loads(connection.getresponse().read())["predictions"] == [
        list(expected([3, 6]).values())
    ]
    connection.close()
    assert inside(docker, "server", "id", "-u") == "10001"


#: image -> the most megabytes that it may add to its base
SIZES = {"sqlscore-service": 320, "sqlscore": 480, "sqlscore-postgres": 420}


def test_every_command_runs_in_the_image_that_has_all_and_each_is_small(docker: Docker, shop: Shop):
    docker.compose("build", "sqlscore")
    ran = docker.compose(
        "run", "--rm", "-T", "sqlscore", "score", "churn", "--source", "customers", "--target",
        "scored", "--key", "id", "--json",
    )  # fmt: skip
    assert json.loads(ran)["rows"] == ROWS
    assert shop.found("scored") == expected(IDS)
    imports = "import connectorx, pyarrow.parquet, pyarrow.dataset, onnx.reference, numpy.testing"
    docker.compose("run", "--rm", "-T", "--entrypoint", "python", "sqlscore", "-c", imports)
    bases = {"sqlscore-postgres": dockers.POSTGRES}
    for image, most in SIZES.items():
        own = size(docker, image) - size(docker, bases.get(image, dockers.PYTHON))
        assert own < most, f"{image}: {own} MB"


def test_a_worker_that_is_killed_loses_and_doubles_nothing(docker: Docker, ports: dict[str, int]):
    inside(docker, "postgres", "createdb", "-U", "shop", "queue")
    docker.compose("up", "--detach", "worker")
    container = docker.compose("ps", "--quiet", "worker").strip()
    with opened(ports["POSTGRES_PORT"], "queue", 100) as shop:
        shop.scoring.install(queue=True)
        query = "SELECT n AS id, sin(n) AS age, cos(n) AS spend FROM generate_series(1, 1000000) n"
        shop.run(f"SELECT sqlscore.submit('churn', '{query}')")
        ((job,),) = shop.ask("SELECT id FROM sqlscore.queue_jobs")
        parts = "SELECT count(*) FILTER (WHERE status = 'done'), count(*) FROM sqlscore.queue_parts"
        docker("restart", container)
        wait_for(lambda: shop.ask(parts)[0][0] > 3)
        docker("kill", container)
        ((done, all_),) = shop.ask(parts)
        assert 3 < done < all_ == 246
        docker("start", container)
        assert shop.ask(f"SELECT sqlscore.wait({job}, 240)") == [(True,)]
        counted = "count(*), count(DISTINCT p.id), min(p.score) > 0"
        rows = "json_to_recordset(part) AS p(id bigint, score float8)"
        found = shop.ask(f"SELECT {counted} FROM sqlscore.result({job}) AS part, {rows}")
        assert found == [(1_000_000, 1_000_000, True)]


def size(docker: Docker, image: str) -> int:
    """Megabytes of an image."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image)) // 1_000_000


def health(docker: Docker, container: str) -> str:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container).strip()


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
