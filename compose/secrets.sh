#!/bin/sh
# Makes the passwords that compose.yaml reads, each once: a file that is there
# is left alone. Usage: secrets.sh [folder], by default .secrets beside this
# file. The folder is 0700, so nobody else on this machine can reach the files;
# they themselves are 0644, because Compose mounts them into containers whose
# users are neither the owner nor root.
set -eu

folder=${1:-$(dirname -- "$0")/.secrets}
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"

# 32 random bytes in hexadecimal: no character that SQL, YAML or a URL minds.
random() {
	od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# Writes standard input to a file of the folder, whole or not at all.
keep() {
	cat >"$folder/$1.new"
	chmod 0644 "$folder/$1.new"
	mv "$folder/$1.new" "$folder/$1"
}

for name in postgres_password grafana_admin_password; do
	[ -s "$folder/$name" ] || { random && echo; } | keep "$name"
done
# The same password as a libpq password file: host:port:database:role:password.
printf '*:*:*:plumbline:%s\n' "$(cat "$folder/postgres_password")" | keep pgpass
