#!/bin/sh
# .venv-dialects: ClickHouse, as the library chdb, and Spark, which needs Java, before the packages of .venv.
# Without one its tests are left out.
set -eu

if ! command -v java >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing default-jre-headless"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            default-jre-headless; } >/dev/null 2>&1 || true
    fi
    command -v java >/dev/null || echo "left out, since there is no Java: the tests of Spark" >&2
fi

[ -e .venv-dialects/installed ] && exit 0
.venv/bin/python -m venv --clear .venv-dialects
if ! .venv-dialects/bin/python -m pip install -q --no-deps chdb chdb-core pyspark py4j; then
    rm -rf .venv-dialects
    echo "left out, since chdb and pyspark cannot be installed: the tests of ClickHouse and Spark" >&2
    exit 0
fi
# behind their own packages come those of .venv
own=$(.venv-dialects/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$own/behind.pth"
touch .venv-dialects/installed
