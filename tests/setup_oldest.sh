#!/bin/sh
# .venv-oldest: each dependency and extra in the oldest version that pyproject.toml allows.
set -eu

python=.venv-oldest/bin/python
[ -x $python ] || .venv/bin/python -m venv --clear .venv-oldest
$python - >.venv-oldest/oldest.txt <<'END'
import re, tomllib

with open("pyproject.toml", "rb") as file:
    found = tomllib.load(file)
extras = found["project"]["optional-dependencies"]
named = found["project"]["dependencies"]
named += [one for extra, several in extras.items() if extra != "all" for one in several]
for one in named:
    name, version = re.fullmatch(r"([\w-]+)(?:\[\w+\])?[>=]=([\d.]+).*", one).groups()
    print(f"{name}=={version}")
END
# pip before 25.1 knows no dependency groups
$python -m pip install -q --upgrade 'pip>=25.1'
$python -m pip install -q -e '.[all]' --group test --constraint .venv-oldest/oldest.txt
