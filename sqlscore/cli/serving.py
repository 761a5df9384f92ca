"""``sqlscore serve``: models over HTTP."""

from __future__ import annotations

import os
import signal
from pathlib import Path  # noqa: TC003 - Typer looks at the types when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import options, present

if TYPE_CHECKING:
    from types import FrameType


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8080,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the key; else the variable SQLSCORE_KEY does."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A certificate (PEM), for HTTPS.")
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Requests answered at once.")] = 4,
    most_megabytes: Annotated[int, typer.Option(min=1, help="Of a request.")] = 100,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    r"""Answer requests for predictions over HTTP, by the models of a database.

    POST /predict takes {"model": …, "columns": {feature: \[values]}} from whoever sends the key in
    the header X-Sqlscore-Key. SQL Server's sp_invoke_external_rest_endpoint calls it.

    Example: sqlscore serve --key-file key.txt --certificate cert.pem --certificate-key key.pem
    """
    from sqlscore import server

    secret = key_file.read_text().strip() if key_file else os.environ.get(_KEY, "")
    if len(secret) < _SHORTEST:
        raise typer.BadParameter(
            f"a key of {_SHORTEST} characters or more is needed: --key-file, or {_KEY}"
        )
    if (certificate is None) is not (certificate_key is None):
        raise typer.BadParameter("--certificate and --certificate-key belong together")
    pair = (certificate, certificate_key) if certificate and certificate_key else None
    signal.signal(signal.SIGTERM, _interrupt)
    with options.opened(db) as database:
        server.serve(
            database,
            host=host,
            port=port,
            key=secret,
            certificate=pair,
            threads=threads,
            most_bytes=most_megabytes * 2**20,
            started=lambda address: _told(address, as_json=as_json),
        )


def _told(address: str, *, as_json: bool) -> None:
    if as_json:
        return present.document({"address": address})
    return present.say(f"Serving on {address}")


_KEY = "SQLSCORE_KEY"
_SHORTEST = 16  #: characters of a key


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
