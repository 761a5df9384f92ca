"""This package's version, as in pyproject.toml: a checkout that is not installed has it too."""

from __future__ import annotations

VERSION = "0.1.0"
