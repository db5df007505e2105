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

// Server is a running PostgreSQL server. It may be used by one goroutine at a
// time.
type Server struct {
	dir, addr string
	bin, port string
	owner     *syscall.Credential
	settings  []string
	cmd       *exec.Cmd
	done      chan struct{} // closed when the server has ended
}

// Start starts a server with durability off. Settings are "name=value" and go
// to its command line. The caller ends it with [Server.Stop].
func Start(settings ...string) (*Server, error) {
	s, err := prepare(settings)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// The C locale: nothing to install, and sorting by bytes everywhere.
	err = s.run(ctx, "initdb", "-D", s.data(), "-U", "postgres",
		"--auth=trust", "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8")
	if err == nil {
		err = s.serve(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// prepare finds the programs, and makes a directory and a port for a server.
func prepare(settings []string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testpg")
	if err != nil {
		return nil, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	s := &Server{dir: dir, bin: bin, owner: owner, port: port, addr: net.JoinHostPort("127.0.0.1", port), settings: settings}
	if err := s.makeData(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// URL returns the connection string of one of the server's databases;
// "postgres" exists.
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.addr + "/" + database + "?sslmode=disable"
}

// Stop ends the server at once, if it still runs, and removes its files.
func (s *Server) Stop() error {
	// No checkpoint: nothing of this is kept.
	return errors.Join(s.Crash(), os.RemoveAll(s.dir))
}

// Crash ends the server at once and keeps its files, for [Server.Restart].
func (s *Server) Crash() error {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	<-s.done
	return nil
}

// Restart starts a server that has crashed again, at the same address.
func (s *Server) Restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return s.serve(ctx)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// makeData makes an empty data directory.
func (s *Server) makeData() error {
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if s.owner == nil {
		return nil
	}
	for _, path := range []string{s.dir, s.data()} {
		if err := os.Chown(path, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return fmt.Errorf("hand the data directory to an unprivileged user: %w", err)
		}
	}
	return nil
}

// run runs one of PostgreSQL's programs as the server's user.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: s.owner}, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", program, err, out)
	}
	return nil
}

// serve starts the server and returns when it accepts connections.
func (s *Server) serve(ctx context.Context) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Errorf("make the log file of PostgreSQL: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"-D", s.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + s.port, "unix_socket_directories=" + s.dir,
		"fsync=off", "full_page_writes=off", "synchronous_commit=off",
		"max_connections=60", "shared_buffers=64MB", "autovacuum=off", "timezone=UTC",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.done = make(chan struct{})
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.SysProcAttr = attributes(s.owner)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // the status of a server that was told to quit says nothing
		close(done)
	}(s.cmd, s.done)
	return s.waitUntilUp(ctx)
}

// waitUntilUp returns when the server accepts connections, has ended, or is
// too slow.
func (s *Server) waitUntilUp(ctx context.Context) error {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if s.run(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", s.port) == nil {
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
