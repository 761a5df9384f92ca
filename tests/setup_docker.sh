#!/bin/sh
# Install Docker's engine and what makes stand-ins of base images, from Debian's packages, where they are
# missing and this may be done; else the tests say what they miss.
set -eu

missing=""
command -v docker >/dev/null || missing="docker.io"
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing="$missing docker-compose"
docker info >/dev/null 2>&1 || command -v dockerd >/dev/null || missing="$missing docker.io"
command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
[ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0

export DEBIAN_FRONTEND=noninteractive
echo "installing$missing"
# shellcheck disable=SC2086 # the names are words
{ apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >/dev/null 2>&1 ||
    echo "left out, since apt-get failed:$missing" >&2
