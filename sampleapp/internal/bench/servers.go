package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/internal/testpg"
	"github.com/cacheu/plumbline/sampleapp/internal/migrate"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
)

// shop is the database that those of the variants are copied from.
const shop = "shop"

// Servers are a PostgreSQL and a Redis of the benchmark's own: it disturbs
// nobody's data, and nobody disturbs it. PostgreSQL is as durable as in
// production, because that is part of what it costs.
type Servers struct {
	postgres *testpg.Server
	replica  *testpg.Server // nil where no scenario has asked for one
	redis    *exec.Cmd
	redisIn  io.Closer
	// RedisAddr is the host and port of Redis.
	RedisAddr string
}

// settings of PostgreSQL that differ from those for tests.
func settings() []string {
	return []string{
		"fsync=on", "full_page_writes=on", "synchronous_commit=on", "autovacuum=on",
		"max_connections=200", "shared_buffers=256MB", "max_wal_size=2GB", "checkpoint_timeout=15min", "jit=off",
		"wal_keep_size=256MB", // for a replica, which has no slot
	}
}

// StartServers starts both and makes the shop of the given sizes. The caller
// ends them with Stop.
func StartServers(ctx context.Context, sizes seed.Sizes) (_ *Servers, err error) {
	s := &Servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.postgres, err = testpg.Start(settings()...); err != nil {
		return s, err
	}
	if err = s.makeTemplate(ctx, sizes); err != nil {
		return s, fmt.Errorf("make the shop: %w", err)
	}
	if err = s.startRedis(ctx); err != nil {
		return s, fmt.Errorf("start Redis: %w", err)
	}
	return s, nil
}

func (s *Servers) makeTemplate(ctx context.Context, sizes seed.Sizes) error {
	if err := s.admin(ctx, "create database "+shop+" template template0"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.postgres.URL(shop))
	if err != nil {
		return err
	}
	err = migrate.Locked(ctx, conn, func(ctx context.Context) error {
		if _, err := migrate.Run(ctx, conn); err != nil {
			return err
		}
		_, err := seed.Run(ctx, conn, sizes)
		return err
	})
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// admin runs one statement in the maintenance database.
func (s *Servers) admin(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.postgres.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// Database makes a copy of the shop and returns its connection string. The name
// is made of letters, digits and _.
func (s *Servers) Database(ctx context.Context, name string) (string, error) {
	if err := s.admin(ctx, "create database "+name+" template "+shop); err != nil {
		return "", fmt.Errorf("make the database %s: %w", name, err)
	}
	return s.postgres.URL(name), nil
}

// RedisArgs is the command line of this program that stands in for a Redis
// that is not installed, after the address.
func RedisArgs(addr string) []string { return []string{"redis", "--addr", addr} }

func (s *Servers) startRedis(ctx context.Context) error {
	port, err := testpg.FreePort()
	if err != nil {
		return err
	}
	s.RedisAddr = net.JoinHostPort("127.0.0.1", port)
	if path, lookErr := exec.LookPath("redis-server"); lookErr == nil {
		s.redis = exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	} else {
		program, err := self()
		if err != nil {
			return err
		}
		s.redis = exec.Command(program, RedisArgs(s.RedisAddr)...)
	}
	s.redis.SysProcAttr = testpg.EndsWithTest()
	if s.redisIn, err = s.redis.StdinPipe(); err != nil {
		return err
	}
	if err := s.redis.Start(); err != nil {
		s.redis = nil
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.RedisAddr, MaxRetries: -1})
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-retry.C:
		}
	}
}

// startReplica starts a streaming replica that applies nothing before it is so
// old, as one at the other end of the world.
func (s *Servers) startReplica(delay time.Duration) (err error) {
	s.replica, err = s.postgres.Replica("replica", "", append(settings(), fmt.Sprintf("recovery_min_apply_delay=%dms", delay.Milliseconds()))...)
	if err != nil {
		s.replica = nil
		return fmt.Errorf("start the replica: %w", err)
	}
	return nil
}

// stopReplica ends the replica, if there is one.
func (s *Servers) stopReplica() error {
	if s.replica == nil {
		return nil
	}
	replica := s.replica
	s.replica = nil
	return replica.Stop()
}

// Stop ends all servers and removes their files. It is legal on servers that
// have not started.
func (s *Servers) Stop() error {
	var errs []error
	if s.redis != nil {
		errs = append(errs, s.redis.Process.Kill(), s.redisIn.Close())
		_ = s.redis.Wait() // killed: its status says nothing
		s.redis = nil
	}
	errs = append(errs, s.stopReplica())
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
		s.postgres = nil
	}
	return errors.Join(errs...)
}
