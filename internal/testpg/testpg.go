// Package testpg gives tests a real PostgreSQL server of their own.
//
// [Start] runs a server of the machine's installation in a temporary directory,
// on a free port of the loopback interface, in one or two seconds. A machine
// without PostgreSQL fails the test and names the package to install: nothing
// is skipped. It uses the standard library only, and only tests and benchmarks
// import it.
package testpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// startTimeout bounds initdb and the server's start.
const startTimeout = time.Minute

// Server is a running PostgreSQL server.
type Server struct {
	dir, addr string
	cmd       *exec.Cmd
	done      chan struct{} // closed when the server has ended
}

// Start starts a server with durability off. Settings are "name=value" and go
// to its command line. The caller ends it with [Server.Stop].
func Start(settings ...string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testpg")
	if err != nil {
		return nil, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	s := &Server{dir: dir, done: make(chan struct{})}
	if err := s.start(bin, owner, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// URL returns the connection string of one of the server's databases;
// "postgres" exists.
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.addr + "/" + database + "?sslmode=disable"
}

// Stop ends the server at once and removes its files.
func (s *Server) Stop() error {
	// SIGQUIT: no checkpoint, nothing of this is kept.
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	<-s.done
	return os.RemoveAll(s.dir)
}

func (s *Server) start(bin string, owner *syscall.Credential, settings []string) error {
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if owner != nil {
		for _, path := range []string{s.dir, data} {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return fmt.Errorf("hand the data directory to an unprivileged user: %w", err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// The C locale: nothing to install, and sorting by bytes everywhere.
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"--auth=trust", "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: owner}, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	s.addr = net.JoinHostPort("127.0.0.1", port)
	if err := s.serve(bin, data, port, owner, settings); err != nil {
		return err
	}
	return s.waitUntilUp(ctx, bin, port)
}

func (s *Server) serve(bin, data, port string, owner *syscall.Credential, settings []string) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Errorf("make the log file of PostgreSQL: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"-D", data}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=" + s.dir,
		"fsync=off", "full_page_writes=off", "synchronous_commit=off",
		"max_connections=60", "shared_buffers=64MB", "autovacuum=off", "timezone=UTC",
	}, settings...) {
		args = append(args, "-c", setting)
	}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), args...)
	s.cmd.SysProcAttr = attributes(owner)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // the status of a server that was told to quit says nothing
		close(s.done)
	}()
	return nil
}

// waitUntilUp returns when the server accepts connections, has ended, or is
// too slow.
func (s *Server) waitUntilUp(ctx context.Context, bin, port string) error {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run() == nil {
			return nil
		}
		select {
		case <-s.done:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL ended during its start:\n%s", log)
		case <-ctx.Done():
			return errors.Join(errors.New("PostgreSQL does not answer"), s.Stop())
		case <-retry.C:
		}
	}
}

// EndsWithTest makes a child of the test end with it, even when the test is
// killed, where the system can do that.
func EndsWithTest() *syscall.SysProcAttr { return attributes(nil) }

// find returns the directory of PostgreSQL's programs.
func find() (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		// A link on PATH stands for the directory that has all the programs.
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			return filepath.Dir(real), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: install the package postgresql (apt-get install postgresql), or put its programs on PATH")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// unprivileged returns the user that PostgreSQL is to run as, nil for the
// current one. PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("read the ids of user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody: run the tests as another user")
}

// FreePort returns a port of the loopback interface that nobody listens on.
// Another process may take it before the caller does.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
