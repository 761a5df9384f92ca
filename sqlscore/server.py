"""Models over HTTP: rows in, predictions out.

``POST /predict`` takes ``{"model": "churn@production", "columns": {"age": [41, null], …}}``, a list
of values for each feature, and gives ``{"model": "churn:3", "rows": 2, "names": ["score"],
"predictions": [[0.5, null]]}``. ``GET /health`` says that the server is there. Nothing of a request
is SQL, a path or code: it names a model of the database, and holds values.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
import threading
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.errors import (
    DatabaseError,
    MissingExtra,
    ModelError,
    RegistryError,
    SignatureError,
    SqlscoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sqlscore.database import Database
    from sqlscore.model import Model

MOST_BYTES = 100 * 2**20  #: of a request: what sp_invoke_external_rest_endpoint sends at most
KEY_HEADER = "X-Sqlscore-Key"
_MODELS = 16  #: that stay loaded
_STATUS: dict[type[Exception], HTTPStatus] = {
    RegistryError: HTTPStatus.NOT_FOUND,
    SignatureError: HTTPStatus.BAD_REQUEST,
    ModelError: HTTPStatus.BAD_REQUEST,
    DatabaseError: HTTPStatus.SERVICE_UNAVAILABLE,
}
logger = logging.getLogger("sqlscore")


class Refused(Exception):
    """A request that is answered by a status other than 200."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


class Scorer:
    """The models of one database, loaded once each; may be called by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Model] = OrderedDict()

    def __call__(self, asked: Any) -> dict[str, Any]:
        """The predictions for a request; NaN and ±inf are null. SqlscoreError, Refused."""
        spec, columns = _parts(asked)
        version = str(self._database.models.version(spec))
        model = self._model(version)
        found = model.predict(pa.table({name: _array(name, v) for name, v in columns.items()}))
        return {
            "model": version,
            "rows": found.num_rows,
            "names": found.column_names,
            "predictions": [[_plain(v) for v in c.to_pylist()] for c in found.columns],
        }

    def _model(self, version: str) -> Model:
        with self._lock:
            if version not in self._loaded:
                self._loaded[version] = self._database.models[version]
                if len(self._loaded) > _MODELS:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(version)
            return self._loaded[version]


class Application:
    """The WSGI application: who may ask, how much, and for what."""

    def __init__(self, scorer: Scorer, *, key: str, most_bytes: int = MOST_BYTES) -> None:
        self._scorer, self._key, self._most = scorer, key.encode(), most_bytes

    def __call__(
        self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
    ) -> Iterable[bytes]:
        try:
            status, answer = HTTPStatus.OK, self._answer(environ)
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except SqlscoreError as error:
            status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), _FAILED)
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - the server goes on, and the caller learns nothing
            logger.error("a request failed: %s", type(error).__name__)
            status, answer = _FAILED, {"error": "the server failed"}
        body = json.dumps(answer, ensure_ascii=False).encode()
        head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start(f"{status.value} {status.phrase}", head)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> dict[str, Any]:
        asked = environ["REQUEST_METHOD"], environ.get("PATH_INFO")
        if asked == ("GET", "/health"):
            return {"status": "ok"}
        given = environ.get("HTTP_X_SQLSCORE_KEY", "").encode("latin-1")
        if not hmac.compare_digest(given, self._key):
            raise Refused(HTTPStatus.UNAUTHORIZED, f"the header {KEY_HEADER} has no right key")
        if asked != ("POST", "/predict"):
            raise Refused(HTTPStatus.NOT_FOUND, "there are POST /predict and GET /health")
        return self._scorer(self._body(environ))

    def _body(self, environ: dict[str, Any]) -> Any:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdigit():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the request says no Content-Length")
        if int(length) > self._most:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has {length} bytes, and {self._most} are taken: send fewer rows",
            )
        try:
            return json.loads(environ["wsgi.input"].read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON") from error


def serve(
    database: Database,
    *,
    host: str,
    port: int,
    key: str,
    certificate: tuple[Path, Path] | None = None,
    threads: int = 4,
    most_bytes: int = MOST_BYTES,
    started: Callable[[str], object],
) -> None:
    """Answer requests until the process is interrupted.

    key: what the header X-Sqlscore-Key must say. certificate: a certificate's file and its private
    key's, for HTTPS. started: told the address, once requests are taken.
    """
    try:
        from cheroot.ssl.builtin import BuiltinSSLAdapter
        from cheroot.wsgi import Server
    except ImportError as error:
        raise MissingExtra("server", "an HTTP server") from error
    application = Application(Scorer(database), key=key, most_bytes=most_bytes)
    server = Server((host, port), application, numthreads=threads, server_name="sqlscore")
    server.max_request_header_size = 64 * 1024
    server.max_request_body_size = most_bytes + 1024  # above ours, which says what to do
    if certificate is not None:
        server.ssl_adapter = BuiltinSSLAdapter(*map(str, certificate))
    try:
        server.prepare()
        scheme = "http" if certificate is None else "https"
        started(f"{scheme}://{host}:{server.bind_addr[1]}")
        server.serve()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise SqlscoreError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    finally:
        server.stop()


_FAILED = HTTPStatus.INTERNAL_SERVER_ERROR


def _parts(asked: Any) -> tuple[str, dict[str, list[Any]]]:
    """The model and the columns of a request."""
    given: dict[str, Any] = asked if isinstance(asked, dict) else {}
    spec, columns = given.get("model"), given.get("columns")
    lists = isinstance(columns, dict) and all(isinstance(v, list) for v in columns.values())
    if not isinstance(spec, str) or not isinstance(columns, dict) or not columns or not lists:
        said = 'a request is {"model": "churn", "columns": {"age": [41, …], …}}'
        raise Refused(HTTPStatus.BAD_REQUEST, said)
    if len({len(values) for values in columns.values()}) > 1:
        raise Refused(HTTPStatus.BAD_REQUEST, "the columns have different numbers of values")
    return spec, columns


def _array(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        said = f"the column {name!r} holds values of several kinds, or too large ones"
        raise Refused(HTTPStatus.BAD_REQUEST, said) from error


def _plain(value: Any) -> Any:
    """A value that JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(one) for one in value] if isinstance(value, list) else value
