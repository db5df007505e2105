package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/migrate"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// migrateTimeout bounds schema and seed together, waiting for another process
// that does the same included.
const migrateTimeout = 5 * time.Minute

// closeTimeout bounds the goodbye to the database.
const closeTimeout = 2 * time.Second

// runMigrate brings the schema up to date and seeds an empty shop.
func runMigrate(ctx context.Context, c config.Config, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	conf, err := pgx.ParseConfig(c.DatabaseURL)
	if err != nil {
		return store.ErrBadURL
	}
	conf.ConnectTimeout = store.DefaultConnectTimeout
	conf.RuntimeParams["application_name"] = c.Role
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	start := time.Now()
	err = migrate.Locked(ctx, conn, func(ctx context.Context) error {
		applied, err := migrate.Run(ctx, conn)
		if err != nil {
			return err
		}
		seeded, err := seed.Run(ctx, conn, seed.Default())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%d migrations applied, %s, %.1f s\n", applied, describe(seeded), time.Since(start).Seconds())
		return err
	})
	closeCtx, cancelClose := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancelClose()
	return errors.Join(err, conn.Close(closeCtx))
}

func describe(seeded bool) string {
	s := seed.Default()
	if !seeded {
		return "the shop was seeded before"
	}
	return fmt.Sprintf("%d users, %d products, %d orders and %d posts seeded", s.Users, s.Products, s.Orders, s.Posts)
}

// runRedis serves an in-process Redis, for machines that have none.
func runRedis(ctx context.Context, c config.Config, stdout io.Writer) error {
	server := miniredis.NewMiniRedis()
	if c.RedisPassword != "" {
		server.RequireAuth(c.RedisPassword)
	}
	if err := server.StartAddr(c.RedisAddr); err != nil {
		return fmt.Errorf("listen on %s: %w (choose another address with --redis-addr or REDIS_ADDR)", c.RedisAddr, err)
	}
	defer server.Close()
	if _, err := fmt.Fprintf(stdout, "redis listening on %s\n", server.Addr()); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	// Keys expire only when this clock is moved: without it the cache would
	// serve its first values for ever.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			server.FastForward(now.Sub(last))
			last = now
		}
	}
}
