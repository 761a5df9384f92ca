# PostgreSQL with PL/Python and sqlscore's functions in every new database. In the repository's root:
#
#     docker build -f docker/postgres.Dockerfile -t sqlscore-postgres .
ARG POSTGRES=postgres:15-bookworm

FROM ${POSTGRES}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-plpython3-15 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# what sqlscore stands on first, in a layer that stays when sqlscore alone has changed
COPY pyproject.toml README.md LICENSE ./
RUN mkdir sqlscore sql && touch sqlscore/__init__.py \
    && python3 -m venv /opt/sqlscore \
    && /opt/sqlscore/bin/pip install --no-cache-dir ".[postgres]"
COPY sqlscore sqlscore
COPY sql sql
RUN /opt/sqlscore/bin/pip install --no-cache-dir --no-deps --force-reinstall .
COPY docker/install_functions.sh /docker-entrypoint-initdb.d/sqlscore.sh
WORKDIR /
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=20 \
    CMD ["sh", "-c", "pg_isready --host 127.0.0.1 --username \"$POSTGRES_USER\" --dbname \"$POSTGRES_DB\""]
