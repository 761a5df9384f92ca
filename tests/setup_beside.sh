#!/bin/sh
# An environment beside .venv: packages of its own, and behind them those of .venv. Where they cannot be
# installed, what is left out is said: setup_beside.sh FOLDER "LEFT OUT" PACKAGE...
set -eu

folder=$1 left_out=$2
shift 2
[ -e "$folder/installed" ] && exit 0
.venv/bin/python -m venv --clear "$folder"
if ! "$folder/bin/python" -m pip install -q --no-deps "$@"; then
    rm -rf "$folder"
    echo "left out, since $* cannot be installed: $left_out" >&2
    exit 0
fi
own=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$own/behind.pth"
touch "$folder/installed"
