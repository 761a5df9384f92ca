#!/bin/sh
# The tests, locks and kills among them, on a real SQL Server: the one that SQLSCORE_MSSQL_URL names, else
# one in Docker that is gone afterwards. Arguments are pytest's; "-m soak" has the long runs.
set -eu

compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose --project-name sqlscore-mssql --file docker/compose.mssql.yml "$@"
    else
        docker-compose --project-name sqlscore-mssql --file docker/compose.mssql.yml "$@"
    fi
}

in_docker() {
    command -v docker >/dev/null || {
        echo "there is no docker: install it, or name a server with SQLSCORE_MSSQL_URL" >&2
        exit 1
    }
    [ "${ACCEPT_EULA:-}" = Y ] || {
        echo "SQL Server's image wants its licence accepted: ACCEPT_EULA=Y make test-mssql" >&2
        exit 1
    }
    MSSQL_SA_PASSWORD="Aa1-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
    export MSSQL_SA_PASSWORD
    trap 'compose down --volumes' EXIT
    compose up --detach
    SQLSCORE_MSSQL_CONTAINER=$(compose ps --quiet mssql)
    tries=120
    until [ "$(docker inspect --format '{{.State.Health.Status}}' "$SQLSCORE_MSSQL_CONTAINER")" = healthy ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { compose logs >&2; exit 1; }
        sleep 1
    done
    port=${MSSQL_PORT:-14330}
    SQLSCORE_MSSQL_URL="mssql://sa:$MSSQL_SA_PASSWORD@127.0.0.1:$port?TrustServerCertificate=yes"
    export SQLSCORE_MSSQL_CONTAINER SQLSCORE_MSSQL_URL
}

[ -n "${SQLSCORE_MSSQL_URL:-}" ] || in_docker
SQLSCORE_REQUIRE=mssql .venv/bin/python -m pytest --database mssql "$@"
