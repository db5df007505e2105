#!/bin/sh
# Starts a PostgreSQL primary: creates the cluster, a role and its database on
# the first start, then becomes the server (exec), so that every signal reaches
# it. It needs the PostgreSQL server binaries and a POSIX shell, nothing of any
# container image, so the native lab and the tests run the very same file.
#
# Environment:
#   PGDATA                  data folder; its parent must be writable. Required.
#   POSTGRES_PASSWORD_FILE  file whose first line is the password of both the
#                           superuser "postgres" and POSTGRES_USER. Required
#                           on the first start, not read afterwards.
#   POSTGRES_USER           role of the application, no superuser. Default plumbline.
#   POSTGRES_DB             database, owned by that role. Default plumbline.
#   POSTGRES_LISTEN         listen_addresses. Default 127.0.0.1.
#   PGPORT                  TCP port. Default 5432.
# Arguments go to the server: start.sh -c shared_buffers=64MB
#
# There is no Unix socket: TCP with SCRAM is the only way in, also locally.
# Stop it with SIGINT (fast); SIGTERM waits until every client has gone.
set -eu

die() {
	echo "start.sh: $*" >&2
	exit 1
}

# Names become SQL identifiers, so only plain ones are taken.
check_name() {
	case $2 in
	'' | [!a-z_]* | *[!a-z0-9_]*) die "$1 is \"$2\": use lower-case letters, digits and _, not starting with a digit" ;;
	esac
}

[ "$(id -u)" != 0 ] || die "PostgreSQL refuses to run as root: run this as an unprivileged user"
[ -n "${PGDATA:-}" ] || die "PGDATA is not set: name the data folder"
user=${POSTGRES_USER:-plumbline}
database=${POSTGRES_DB:-plumbline}
check_name POSTGRES_USER "$user"
check_name POSTGRES_DB "$database"

# Debian keeps the server binaries out of PATH, one folder per major version.
# The globs sort by name, so the newest of the two-digit versions comes last.
if ! command -v initdb >/dev/null || ! command -v postgres >/dev/null; then
	for dir in /usr/lib/postgresql/*/bin; do
		[ -x "$dir/initdb" ] && PATH=$dir:$PATH
	done
fi
command -v initdb >/dev/null || die "no initdb in PATH or /usr/lib/postgresql: install the package postgresql"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	file=${POSTGRES_PASSWORD_FILE:-}
	[ -n "$file" ] || die "POSTGRES_PASSWORD_FILE is not set: name a file that holds the password"
	[ -r "$file" ] || die "POSTGRES_PASSWORD_FILE $file cannot be read by user $(id -u)"
	password=
	read -r password <"$file" || [ -n "$password" ] || die "POSTGRES_PASSWORD_FILE $file is empty"
	[ -n "$password" ] || die "POSTGRES_PASSWORD_FILE $file starts with an empty line"

	# Everything happens in a folder beside the final one, which the last step
	# renames: a first start that was killed half way leaves no half cluster.
	new=$PGDATA.new
	rm -rf "$new"
	echo "start.sh: creating a cluster in $PGDATA"
	initdb --pgdata="$new" --username=postgres --pwfile="$file" --auth=scram-sha-256 \
		--encoding=UTF8 --no-locale --no-instructions >/dev/null

	cat >"$new/pg_hba.conf" <<-'HBA'
		# Passwords from this machine and from the networks it is attached to.
		host all all samehost scram-sha-256
		host all all samenet  scram-sha-256
	HBA

	# The single-user server needs no port and no authentication, so nobody can
	# connect before the role is complete. The password travels by standard
	# input, not in an argument list; statements are kept out of the log.
	quoted=$(printf '%s\n' "$password" | sed "s/'/''/g")
	postgres --single -D "$new" -c exit_on_error=true -c standard_conforming_strings=on \
		-c log_statement=none -c log_min_error_statement=panic postgres >/dev/null <<-SQL ||
		CREATE ROLE $user LOGIN PASSWORD '$quoted'
		GRANT pg_monitor TO $user
		CREATE DATABASE $database OWNER $user
	SQL
		die "cannot create role $user and database $database (see above)"
	mv "$new" "$PGDATA"
fi

exec postgres -D "$PGDATA" -c port="${PGPORT:-5432}" \
	-c listen_addresses="${POSTGRES_LISTEN:-127.0.0.1}" \
	-c unix_socket_directories= "$@"
