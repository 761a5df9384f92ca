"""What the commands show, on a terminal of a known width."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from sqlscore.cli import app, present

if TYPE_CHECKING:
    import pytest

TREE = """rows stream through the model
└─ PREDICT p: bridge
   ├─ because 7 of [9] columns are read
   └─ DATA: SELECT "id", "island" FROM t"""
NARROW = """rows stream through the
model
└─ PREDICT p: bridge
   ├─ because 7 of [9]
   │  columns are read
   └─ DATA: SELECT "id",
      "island" FROM t
"""


def test_a_tree_keeps_its_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    for width, shown in ((80, TREE + "\n"), (26, NARROW)):
        terminal = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
        monkeypatch.setattr(present, "console", lambda terminal=terminal: terminal)
        present.tree(TREE)
        assert terminal.file.getvalue() == shown  # type: ignore[attr-defined]


def test_help_leaves_the_breaking_of_lines_to_the_terminal() -> None:
    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    texts = [c.help for group in groups if group for c in group.registered_commands]
    assert len(texts) > 30
    assert not [text for text in texts if text and "\n" in text.replace("\n\n", "")]
