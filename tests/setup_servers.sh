#!/bin/sh
# Install PostgreSQL's and MariaDB's servers, PgBouncer and unixODBC from Debian's packages, where they are
# missing and this may be done; else say which databases the tests will leave out. The tests start servers of
# their own: the distribution's own are neither made nor started here.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="postgresql"
command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || missing="$missing mariadb-server"
ls /usr/lib/postgresql/*/lib/plpython3.so >/dev/null 2>&1 || missing="$missing postgresql-plpython3"
command -v pgbouncer >/dev/null || missing="$missing pgbouncer"
ldconfig -p | grep -q 'libodbc\.so\.2' || missing="$missing unixodbc"
[ -n "$missing" ] || exit 0

left_out() {
    echo "left out, since $1: the tests that need$missing (to install: apt-get install$missing)" >&2
    exit 0
}
missing=" ${missing# }"
command -v apt-get >/dev/null || left_out "there is no apt-get"
[ "$(id -u)" = 0 ] || left_out "we are not root"

policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/sqlscore-tests.conf
[ -e "$policy" ] && ours="" || ours="$policy"
trap 'rm -f "$no_cluster" $ours' EXIT
[ -z "$ours" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; }
mkdir -p "$(dirname "$no_cluster")"
echo "create_main_cluster = false" >"$no_cluster"

export DEBIAN_FRONTEND=noninteractive
echo "installing$missing"
log=$(mktemp)
# shellcheck disable=SC2086 # the names are words
if { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    rm -f "$log"
else
    tail -n 20 "$log" >&2
    rm -f "$log"
    left_out "apt-get failed"
fi
