"""``df.sqlscore`` is there whatever is imported first, and pandas stays as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


USE = "print(type(pandas.DataFrame().sqlscore).__name__)"


@pytest.mark.parametrize(
    "code",
    [
        "import sqlscore, pandas",
        "import pandas, sqlscore",
        "import sqlscore, pandas.api.types as _, pandas",
        "import sqlscore, importlib; pandas = importlib.import_module('pandas')",
        "import sqlscore, threading, importlib\n"
        "ts = [threading.Thread(target=importlib.import_module, args=('pandas',)) for _ in 'abc']\n"
        "[t.start() for t in ts]; [t.join() for t in ts]\n"
        "import pandas",
    ],
    ids=["before pandas", "after pandas", "a submodule first", "import_module", "in threads"],
)
def test_frames_have_the_accessor(code: str):
    assert python(f"{code}\n{USE}") == "Accessor"


def test_sqlscore_does_not_import_pandas_for_it():
    assert python("import sqlscore, sys; print('pandas' in sys.modules)") == "False"


def test_pandas_keeps_its_own_loader_and_the_finder_goes():
    code = (
        "import sys\n"
        "before = list(sys.meta_path)\n"
        "import sqlscore, pandas, importlib.resources as r\n"
        "print(type(pandas.__loader__).__name__, type(pandas.__spec__.loader).__name__)\n"
        "print((r.files('pandas') / '__init__.py').is_file())\n"
        "print([f for f in sys.meta_path if type(f).__module__ == 'sqlscore.accessor'])"
    )
    assert python(code).splitlines() == ["SourceFileLoader SourceFileLoader", "True", "[]"]


def test_it_waits_on_after_an_import_that_failed():
    code = (
        "import sys, sqlscore\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pandas._config': raise ImportError('not now')\n"
        "broken = Broken(); sys.meta_path.insert(0, broken)\n"
        "try: import pandas\n"
        "except ImportError as error: print(error)\n"
        "sys.meta_path.remove(broken)\n"
        "for name in [n for n in sys.modules if n.split('.')[0] == 'pandas']:\n"
        "    del sys.modules[name]\n"
        f"import pandas\n{USE}"
    )
    assert python(code).splitlines() == ["not now", "Accessor"]


def test_without_pandas_its_absence_is_python_s_own_error():
    code = (
        "import sys, sqlscore\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "try: import pandas\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    assert python(code) == "No module named 'pandas'"


def test_find_spec_by_others_does_no_harm():
    code = (
        "import sqlscore, importlib.util\n"
        "print(importlib.util.find_spec('pandas').name)\n"
        f"import pandas\n{USE}"
    )
    assert python(code).splitlines() == ["pandas", "Accessor"]
