"""The face of one model: load it, look at its signature, predict with it, compile it to SQL."""

from __future__ import annotations

from sqlscore.model.model import Model, load, stored

__all__ = ["Model", "load", "stored"]
