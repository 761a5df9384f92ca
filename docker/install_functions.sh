#!/bin/sh
# Run once by the image of PostgreSQL, for a new database, as its superuser over the local socket.
set -eu
exec /opt/sqlscore/bin/sqlscore install \
    --db "postgresql:///${POSTGRES_DB:-$POSTGRES_USER}?host=/var/run/postgresql&user=$POSTGRES_USER"
