package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// postgresPackage is what a machine without PostgreSQL lacks.
const postgresPackage = "PostgreSQL is not installed: install the package postgresql (Debian, Ubuntu: apt-get install postgresql), " +
	"or put initdb and postgres on PATH"

// findPostgres makes sure that compose/config/postgres/start.sh will find a
// server, where it looks for one.
func findPostgres() error {
	_, initdb := exec.LookPath("initdb")
	_, server := exec.LookPath("postgres")
	if initdb == nil && server == nil {
		return nil
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return nil
	}
	return errors.New(postgresPackage)
}

// postgresAccount is the unprivileged user that runs PostgreSQL, which refuses
// to run as root. It is nil where the lab itself is not root.
func postgresAccount(euid int, lookup func(string) (*user.User, error)) (*account, error) {
	if euid != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it: " +
		"create one (useradd --system postgres), or start the lab as an ordinary user")
}

// reachable makes sure that other users can walk to dir: PostgreSQL's user
// must, to its data. Directories that are not there yet will be made so.
func reachable(dir string, who *account) error {
	if who == nil {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("user %s, who runs PostgreSQL, cannot enter %s (mode %v): set PLUMBLINE_HOME to a directory elsewhere",
				who.Name, at, info.Mode().Perm())
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
