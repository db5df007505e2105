#!/bin/sh
# Makes a running PostgreSQL replica lag, or stops its replay, for drills.
#
#   fault.sh lag=SECONDS   replay nothing before it is so old
#   fault.sh pause         stop the replay; what is received is kept
#   fault.sh clear         end both
#   fault.sh show          print what is on: lag=SECONDS, pause, or nothing
#   fault.sh fill=MEGABYTES   write so much log on the primary, for slots to keep
#
# Environment: PGPORT (default 5432) of the server on this machine, and
# POSTGRES_PASSWORD_FILE, whose first line is the password of "postgres". It
# needs psql. A restart of the replica ends every fault, too.
set -eu

die() {
	echo "fault.sh: $*" >&2
	exit 1
}

command -v psql >/dev/null || for dir in /usr/lib/postgresql/*/bin; do
	[ -x "$dir/psql" ] && PATH=$dir:$PATH
done
command -v psql >/dev/null || die "no psql in PATH or /usr/lib/postgresql: install the package postgresql-client"
file=${POSTGRES_PASSWORD_FILE:-}
[ -r "$file" ] || die "POSTGRES_PASSWORD_FILE \"$file\" cannot be read"
# In the environment, where only this user can read it.
read -r PGPASSWORD <"$file" || [ -n "$PGPASSWORD" ]
export PGPASSWORD

sql() {
	for statement; do
		psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
			--host=127.0.0.1 --port="${PGPORT:-5432}" --username=postgres --dbname=postgres --command="$statement"
	done
}

delay() {
	sql "ALTER SYSTEM SET recovery_min_apply_delay = '$1s'" "SELECT pg_reload_conf()" >/dev/null
}

case ${1:-} in
lag=*)
	seconds=${1#lag=}
	case $seconds in '' | *[!0-9]*) die "\"$1\" is no lag: want whole seconds, as in lag=5" ;; esac
	delay "$seconds"
	;;
pause) sql "SELECT pg_wal_replay_pause()" ;;
clear)
	delay 0
	sql "SELECT pg_wal_replay_resume()"
	;;
fill=*)
	megabytes=${1#fill=}
	case $megabytes in '' | *[!0-9]*) die "\"$1\" is no size: want whole megabytes, as in fill=600" ;; esac
	sql "SELECT count(pg_logical_emit_message(false, 'fill', repeat('x', 1048576))) FROM generate_series(1, $megabytes)" >/dev/null
	;;
show) sql "SELECT 'lag=' || setting::bigint / 1000 FROM pg_settings WHERE name = 'recovery_min_apply_delay' AND setting <> '0'" \
	"SELECT 'pause' WHERE pg_is_wal_replay_paused()" ;;
*) die "want lag=SECONDS, pause, clear, fill=MEGABYTES or show" ;;
esac
