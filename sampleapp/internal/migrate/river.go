package migrate

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// applyRiver applies River's migrations that conn's database lacks and returns
// how many these were. It needs a connection of its own beside conn, because
// River works on pools.
func applyRiver(ctx context.Context, conn *pgx.Conn) (int, error) {
	config, err := pgxpool.ParseConfig(conn.Config().ConnString())
	if err != nil {
		return 0, fmt.Errorf("prepare River's migrations: %w", err)
	}
	config.ConnConfig, config.MaxConns = conn.Config(), 1
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("prepare River's migrations: %w", err)
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, fmt.Errorf("prepare River's migrations: %w", err)
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return 0, fmt.Errorf("apply River's migrations: %w", err)
	}
	return len(result.Versions), nil
}
