#!/bin/sh
# Starts a PostgreSQL primary: creates the cluster, a role and its database on
# the first start, then becomes the server (exec), so that every signal reaches
# it. With POSTGRES_PRIMARY_HOST set it starts a replica of that server instead:
# copies its data on the first start, then streams from it. It needs the
# PostgreSQL server binaries and a POSIX shell, nothing of any container image,
# so the native lab and the tests run the very same file.
#
# Environment:
#   PGDATA                  data folder; its parent must be writable. Required.
#   POSTGRES_PASSWORD_FILE  file whose first line is the password of the
#                           superuser "postgres", of POSTGRES_USER and of the
#                           replicas. Required on the first start of a
#                           primary, not read afterwards; always of a replica.
#   POSTGRES_USER           role of the application, no superuser. Default plumbline.
#   POSTGRES_DB             database, owned by that role. Default plumbline.
#   POSTGRES_LISTEN         listen_addresses. Default 127.0.0.1.
#   PGPORT                  TCP port. Default 5432.
#   POSTGRES_PRIMARY_HOST   host of the primary; makes this a replica.
#   POSTGRES_PRIMARY_PORT   its port. Default 5432.
#   POSTGRES_REPLICA        name of the replica, and of its slot. Default replica.
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

# The role that replicas connect as. It may copy everything, so it can do nothing
# else.
replicator=plumbline_replica

# Sets password, and file to where it came from.
read_password() {
	file=${POSTGRES_PASSWORD_FILE:-}
	[ -n "$file" ] || die "POSTGRES_PASSWORD_FILE is not set: name a file that holds the password"
	[ -r "$file" ] || die "POSTGRES_PASSWORD_FILE $file cannot be read by user $(id -u)"
	password=
	read -r password <"$file" || [ -n "$password" ] || die "POSTGRES_PASSWORD_FILE $file is empty"
	[ -n "$password" ] || die "POSTGRES_PASSWORD_FILE $file starts with an empty line"
}

# Runs SQL from standard input, one statement a line, in a server without a port
# and without authentication, so that nobody can connect before all is done. The
# password travels by standard input, not in an argument list; statements are
# kept out of the log.
single_user() {
	postgres --single -D "$1" -c exit_on_error=true -c standard_conforming_strings=on \
		-c log_statement=none -c log_min_error_statement=panic postgres >/dev/null
}

# Lets replicas in: the role, and the way in from the networks of this machine.
make_replicable() {
	quoted=$(printf '%s\n' "$password" | sed "s/'/''/g")
	printf "CREATE ROLE %s REPLICATION LOGIN PASSWORD '%s'\n" "$replicator" "$quoted" | single_user "$1" ||
		die "cannot create role $replicator (see above)"
	cat >>"$1/pg_hba.conf" <<-HBA
		host replication $replicator samehost scram-sha-256
		host replication $replicator samenet  scram-sha-256
	HBA
}

# A first start happens in a folder beside the final one, which the last step
# renames: one that was killed half way leaves no half cluster.
new=$PGDATA.new

if [ -n "${POSTGRES_PRIMARY_HOST:-}" ]; then
	name=${POSTGRES_REPLICA:-replica}
	check_name POSTGRES_REPLICA "$name"
	read_password
	# A password file for libpq, in which \ and : are escaped. It is in no
	# argument, and in no file that others may read.
	passfile=$PGDATA.pgpass
	(
		umask 077
		printf '*:*:*:%s:%s\n' "$replicator" "$(printf '%s\n' "$password" | sed 's/[\\:]/\\&/g')" >"$passfile.new"
	)
	mv "$passfile.new" "$passfile"
	primary="host=$POSTGRES_PRIMARY_HOST port=${POSTGRES_PRIMARY_PORT:-5432} user=$replicator passfile='$passfile'"
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		echo "start.sh: copying the primary to $PGDATA"
		# The slot is there already when an earlier copy was lost.
		copied=
		for slot in --create-slot ''; do
			rm -rf "$new"
			if pg_basebackup --pgdata="$new" --dbname="$primary" --wal-method=stream --checkpoint=fast \
				$slot --slot="$name"; then
				copied=yes
				break
			fi
		done
		[ -n "$copied" ] || die "cannot copy the primary $POSTGRES_PRIMARY_HOST (see above)"
		mv "$new" "$PGDATA"
	fi
	# What was set while it ran (a lag, for a drill) ends with a restart.
	: >"$PGDATA/postgresql.auto.conf"
	touch "$PGDATA/standby.signal"
	set -- -c primary_conninfo="$primary" -c primary_slot_name="$name" -c cluster_name="$name" \
		-c wal_receiver_status_interval=1s "$@"
elif [ ! -s "$PGDATA/PG_VERSION" ]; then
	read_password
	rm -rf "$new"
	echo "start.sh: creating a cluster in $PGDATA"
	initdb --pgdata="$new" --username=postgres --pwfile="$file" --auth=scram-sha-256 \
		--encoding=UTF8 --no-locale --no-instructions >/dev/null

	cat >"$new/pg_hba.conf" <<-'HBA'
		# Passwords from this machine and from the networks it is attached to.
		host all all samehost scram-sha-256
		host all all samenet  scram-sha-256
	HBA

	quoted=$(printf '%s\n' "$password" | sed "s/'/''/g")
	single_user "$new" <<-SQL ||
		CREATE ROLE $user LOGIN PASSWORD '$quoted'
		GRANT pg_monitor TO $user
		CREATE DATABASE $database OWNER $user
	SQL
		die "cannot create role $user and database $database (see above)"
	make_replicable "$new"
	mv "$new" "$PGDATA"
elif ! grep -q "^host replication $replicator " "$PGDATA/pg_hba.conf"; then
	# A cluster from before there were replicas.
	read_password
	make_replicable "$PGDATA"
fi

exec postgres -D "$PGDATA" -c port="${PGPORT:-5432}" \
	-c listen_addresses="${POSTGRES_LISTEN:-127.0.0.1}" \
	-c max_slot_wal_keep_size=1GB \
	-c unix_socket_directories= "$@"
