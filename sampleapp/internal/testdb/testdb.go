// Package testdb gives tests a real PostgreSQL and a Redis of their own.
//
// [Start] runs a server of the machine's PostgreSQL installation in a temporary
// directory, on a free port of the loopback interface. It takes one or two
// seconds, so a test package starts one in TestMain; [Server.New] then hands
// every test a database of its own, copied from a migrated and seeded template,
// in well under a second. A machine without PostgreSQL fails these tests and
// names the package to install: they are never skipped.
//
// Only tests import this package.
package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/sampleapp/internal/migrate"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
)

// startTimeout bounds how long a server may take to answer.
const startTimeout = 30 * time.Second

const template = "shop_template"

// Server is a running PostgreSQL server. Its methods are safe for concurrent
// use.
type Server struct {
	dir  string
	addr string
	cmd  *exec.Cmd
	done chan struct{} // closed when the server has ended
	last atomic.Int64  // number of the last database
}

// SmallSizes is the seed of the databases that [Server.New] makes.
func SmallSizes() seed.Sizes {
	return seed.Sizes{Users: 200, Products: 50, Orders: 2_000, Posts: 60}
}

// Start starts a server and prepares the template of its databases. The caller
// stops it with [Server.Stop].
func Start() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testdb")
	if err != nil {
		return nil, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	s := &Server{dir: dir, done: make(chan struct{})}
	if err := s.start(ctx, bin, owner); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.makeTemplate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the template database: %w", err), s.Stop())
	}
	return s, nil
}

// Stop stops the server at once and removes its files.
func (s *Server) Stop() error {
	// SIGQUIT: no checkpoint, nothing of this is kept.
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	<-s.done
	return os.RemoveAll(s.dir)
}

// URL returns the connection string of one of the server's databases.
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.addr + "/" + database + "?sslmode=disable"
}

// New makes a database with the schema and the rows of [SmallSizes], and
// returns its connection string. It is dropped when the test ends.
func (s *Server) New(tb testing.TB) string {
	tb.Helper()
	return s.create(tb, template)
}

// Empty makes a database without any schema and returns its connection string.
// It is dropped when the test ends.
func (s *Server) Empty(tb testing.TB) string {
	tb.Helper()
	return s.create(tb, "template0")
}

// Pool makes a database as [Server.New] does and opens a pool on it, which is
// closed when the test ends.
func (s *Server) Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(context.Background(), s.New(tb))
	if err != nil {
		tb.Fatalf("open a pool: %v", err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

func (s *Server) create(tb testing.TB, from string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	name := fmt.Sprintf("test_%d", s.last.Add(1))
	if err := s.admin(ctx, "create database "+name+" template "+from); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := s.admin(ctx, "drop database "+name+" with (force)"); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return s.URL(name)
}

// admin runs one statement in the maintenance database.
func (s *Server) admin(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (s *Server) makeTemplate(ctx context.Context) error {
	if err := s.admin(ctx, "create database "+template+" template template0"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.URL(template))
	if err != nil {
		return err
	}
	err = migrate.Locked(ctx, conn, func(ctx context.Context) error {
		if _, err := migrate.Run(ctx, conn); err != nil {
			return err
		}
		_, err := seed.Run(ctx, conn, SmallSizes())
		return err
	})
	return errors.Join(err, conn.Close(ctx))
}

// start makes the data directory and runs the server until it answers.
func (s *Server) start(ctx context.Context, bin string, owner *syscall.Credential) error {
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if owner != nil {
		if err := errors.Join(os.Chown(s.dir, int(owner.Uid), int(owner.Gid)), os.Chown(data, int(owner.Uid), int(owner.Gid))); err != nil {
			return fmt.Errorf("hand the data directory to an unprivileged user: %w", err)
		}
	}
	// The C locale: nothing to install, and sorting by bytes everywhere.
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"--auth=trust", "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8")
	initdb.SysProcAttr = attributes(owner)
	initdb.Dir = s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	if err := s.serve(bin, data, owner); err != nil {
		return err
	}
	return s.waitUntilUp(ctx)
}

// serve starts the server process on a free port.
func (s *Server) serve(bin, data string, owner *syscall.Credential) error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	s.addr = net.JoinHostPort("127.0.0.1", port)
	logFile, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Errorf("make the log file of PostgreSQL: %w", err)
	}
	defer logFile.Close()
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories="+s.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
		"-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "autovacuum=off", "-c", "timezone=UTC")
	s.cmd.SysProcAttr = attributes(owner)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, logFile, logFile
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // the status of a server that was told to quit says nothing
		close(s.done)
	}()
	return nil
}

// waitUntilUp returns when the server answers, has ended, or ctx has.
func (s *Server) waitUntilUp(ctx context.Context) error {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := s.admin(ctx, "select 1")
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL ended during start-up:\n%s", log)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for PostgreSQL: %w", err), s.Stop())
		case <-retry.C:
		}
	}
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

// findPostgres returns the directory of the newest PostgreSQL server's
// binaries. Debian keeps them off PATH.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("these tests need a PostgreSQL server: install the package postgresql (Debian, Ubuntu) or postgresql-server (Fedora), or put initdb and postgres on PATH")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}
