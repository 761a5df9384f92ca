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

exec tests/setup_beside.sh .venv-dialects "the tests of ClickHouse and Spark" chdb chdb-core pyspark py4j
