"""pyarrow.compute, imported where one of its functions is first used.

It makes a Python function for each of its kernels when it is imported, which takes longer than all
of the rest of pyarrow: a server process that scores plain numbers needs none of them.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import pyarrow.compute

    return getattr(pyarrow.compute, name)
