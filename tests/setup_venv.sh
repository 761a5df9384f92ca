#!/bin/sh
# .venv with this package (editable), its extras, and what the tests and checks need.
set -eu
python=$1

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "sqlscore needs Python 3.11 or newer; choose one: make PYTHON=/path/to/python3" >&2
    exit 1
}
if [ ! -x .venv/bin/pip ]; then
    # Debian keeps venv's own half in a package of its own.
    if ! "$python" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv
    fi
    "$python" -m venv --clear .venv
fi
.venv/bin/python -m pip install -q --upgrade 'pip>=25.1' # the first that knows dependency groups
.venv/bin/python -m pip install -q -e '.[all]' --group test --group check
