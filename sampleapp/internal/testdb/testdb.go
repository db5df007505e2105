// Package testdb gives tests a real PostgreSQL and a Redis of their own.
//
// [Start] runs a server of the machine's PostgreSQL installation in a temporary
// directory, on a free port of the loopback interface. It takes one or two
// seconds, so a test package starts one in TestMain by [Main]; [Server.New] then hands
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
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/internal/testpg"
	"github.com/cacheu/plumbline/sampleapp/internal/migrate"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
)

// startTimeout bounds one step of preparing a database.
const startTimeout = 30 * time.Second

const template = "shop_template"

// Server is a running PostgreSQL server. Its methods are safe for concurrent
// use.
type Server struct {
	*testpg.Server
	last atomic.Int64 // number of the last database
}

// SmallSizes is the seed of the databases that [Server.New] makes.
func SmallSizes() seed.Sizes {
	return seed.Sizes{Users: 200, Products: 50, Orders: 2_000, Posts: 60}
}

// Start starts a server and prepares the template of its databases. The caller
// ends it with Stop.
func Start() (*Server, error) {
	server, err := testpg.Start()
	if err != nil {
		return nil, err
	}
	s := &Server{Server: server}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.makeTemplate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the template database: %w", err), s.Stop())
	}
	return s, nil
}

// Main runs the tests of a package with a server, which it puts into *server and
// stops at the end. It returns the exit status for TestMain.
func Main(m *testing.M, server **Server) int {
	s, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL for the tests:", err)
		return 1
	}
	*server = s
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
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
