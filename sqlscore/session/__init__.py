"""Models loaded in this process, on the execution providers that are here."""

from __future__ import annotations

from sqlscore.session.fed import Fed
from sqlscore.session.providers import AUTO, PROVIDERS, asked, install, known, refuse_options
from sqlscore.session.session import DeviceFull, Session, available, runtime_version

__all__ = [
    "AUTO",
    "PROVIDERS",
    "DeviceFull",
    "Fed",
    "Session",
    "asked",
    "available",
    "install",
    "known",
    "refuse_options",
    "runtime_version",
]
