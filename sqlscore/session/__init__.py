"""Models loaded in this process, on the execution providers that are here."""

from __future__ import annotations

from sqlscore.session.providers import AUTO, PROVIDERS, asked, install, refuse_options
from sqlscore.session.session import DeviceFull, Fed, Session, available

__all__ = [
    "AUTO",
    "PROVIDERS",
    "DeviceFull",
    "Fed",
    "Session",
    "asked",
    "available",
    "install",
    "refuse_options",
]
