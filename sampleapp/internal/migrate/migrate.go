// Package migrate brings a PostgreSQL database to the schema of sampleapp.
//
// River's tables are made first, by River's own migrator. The rest of the
// schema is a list of embedded SQL files, applied in order, each in a
// transaction of its own, and recorded with a checksum. Applying them again
// changes nothing. Any number of processes may call [Run] at the same time: an
// advisory lock lets one work and the others find nothing left to do.
package migrate

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockKey is the advisory lock that serialises migrations of one database.
// The number is arbitrary; it only must not be used for anything else.
const lockKey = 7_105_812_243

// unlockTimeout bounds the release of the lock. A connection that does not
// answer within it is as good as closed, which releases the lock as well.
const unlockTimeout = 5 * time.Second

//go:embed schema/*.sql
var schema embed.FS

// ErrChanged says that a file was edited after it had been applied.
var ErrChanged = errors.New("an applied migration was edited: undo the edit and add a new file instead")

// Migration is one step of the schema.
type Migration struct {
	Version  int
	Name     string
	SQL      string
	Checksum string
}

// Locked runs f while conn holds the migration lock of its database. Waiting
// for the lock ends with ctx.
func Locked(ctx context.Context, conn *pgx.Conn, f func(context.Context) error) (err error) {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(lockKey)); err != nil {
		return fmt.Errorf("take the migration lock: %w", err)
	}
	defer func() {
		// Without ctx's cancellation: the lock must go even when ctx has ended.
		unlockCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_, unlockErr := conn.Exec(unlockCtx, "select pg_advisory_unlock($1)", int64(lockKey))
		if unlockErr != nil && err == nil {
			err = fmt.Errorf("release the migration lock: %w", unlockErr)
		}
	}()
	return f(ctx)
}

// Run applies the migrations that conn's database lacks, River's and the shop's,
// and returns how many these were. The caller holds the lock (see [Locked]). It
// fails with [ErrChanged] when an applied migration differs from its file.
func Run(ctx context.Context, conn *pgx.Conn) (int, error) {
	migrations, err := List()
	if err != nil {
		return 0, err
	}
	ofRiver, err := applyRiver(ctx, conn)
	if err != nil {
		return 0, err
	}
	own, err := Apply(ctx, conn, migrations)
	return ofRiver + own, err
}

// Apply is [Run] with a list of migrations other than the embedded one.
func Apply(ctx context.Context, conn *pgx.Conn, migrations []Migration) (int, error) {
	const table = `create table if not exists schema_migrations (
		version integer primary key, name text not null, checksum text not null,
		applied_at timestamptz not null default now())`
	if _, err := conn.Exec(ctx, table); err != nil {
		return 0, fmt.Errorf("create schema_migrations: %w", err)
	}
	done, err := applied(ctx, conn)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, m := range migrations {
		switch sum, ok := done[m.Version]; {
		case !ok:
			if err := applyOne(ctx, conn, m); err != nil {
				return count, fmt.Errorf("apply migration %s: %w", m.Name, err)
			}
			count++
		case sum != m.Checksum:
			return count, fmt.Errorf("migration %s: %w", m.Name, ErrChanged)
		}
	}
	return count, nil
}

// List returns the embedded migrations in order.
func List() ([]Migration, error) {
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	migrations := make([]Migration, 0, len(names))
	for i, path := range names { // Glob returns them sorted
		sql, err := schema.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, "schema/"), ".sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want the number %04d, numbers must have no gap", name, i+1)
		}
		migrations = append(migrations, New(version, name, string(sql)))
	}
	return migrations, nil
}

// New returns a migration with its checksum filled in.
func New(version int, name, sql string) Migration {
	sum := sha256.Sum256([]byte(sql))
	return Migration{Version: version, Name: name, SQL: sql, Checksum: hex.EncodeToString(sum[:])}
}

// applied returns the checksums of the applied migrations by version.
func applied(ctx context.Context, conn *pgx.Conn) (map[int]string, error) {
	rows, err := conn.Query(ctx, "select version, checksum from schema_migrations")
	if err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	done := map[int]string{}
	var version int
	var checksum string
	_, err = pgx.ForEachRow(rows, []any{&version, &checksum}, func() error {
		done[version] = checksum
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	return done, nil
}

// applyOne runs one migration and records it, both or neither.
func applyOne(ctx context.Context, conn *pgx.Conn, m Migration) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, m.SQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
			m.Version, m.Name, m.Checksum)
		return err
	})
}
