// Package scripts runs the shell scripts of the lab for real: start.sh against
// the machine's own PostgreSQL, as an unprivileged user, and secrets.sh. It
// holds tests only.
package scripts
