"""The models that a database keeps: versions that never change, and aliases that point to them."""

from __future__ import annotations

from sqlscore.registry.alias_history import AliasChange
from sqlscore.registry.registry import Registry
from sqlscore.registry.versions import Version

__all__ = ["AliasChange", "Registry", "Version"]
