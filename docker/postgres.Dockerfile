# PostgreSQL with PL/Python and sqlscore's functions in every new database. In the repository's root:
#
#     docker build -f docker/postgres.Dockerfile -t sqlscore-postgres .
ARG POSTGRES=postgres:15-bookworm

FROM ${POSTGRES} AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# what sqlscore stands on first, in a layer that stays when sqlscore alone has changed
COPY pyproject.toml README.md LICENSE ./
COPY docker/slim.sh docker/
RUN mkdir sqlscore sql && touch sqlscore/__init__.py \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/sqlscore \
    && /opt/pip/bin/pip --python /opt/sqlscore/bin/python install --no-cache-dir --no-compile ".[postgres]" \
    && docker/slim.sh /opt/sqlscore /opt/readers
COPY sqlscore sqlscore
COPY sql sql
# compiled now: the server's account may write nothing, and each connection imports it
RUN /opt/pip/bin/pip --python /opt/sqlscore/bin/python install --no-cache-dir --no-compile --no-deps --force-reinstall . \
    && python3 -m compileall -q -j 0 /opt/sqlscore

FROM ${POSTGRES}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-plpython3-15 python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/sqlscore /opt/sqlscore
COPY docker/install_functions.sh /docker-entrypoint-initdb.d/sqlscore.sh
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=20 \
    CMD ["sh", "-c", "pg_isready --host 127.0.0.1 --username \"$POSTGRES_USER\" --dbname \"$POSTGRES_DB\""]
