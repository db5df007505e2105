package roles_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/internal/testpg"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/roles"
)

func none(string) string { return "" }

func TestMigrateSaysWhatItDid(t *testing.T) {
	t.Parallel()
	c := config.Config{Role: config.Migrate, DatabaseURL: server.New(t)}
	var out bytes.Buffer
	if err := roles.Run(t.Context(), c, none, &out); err != nil {
		t.Fatal(err)
	}
	if want := "0 migrations applied, the shop was seeded before, "; !strings.HasPrefix(out.String(), want) {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestMigrateWithoutADatabaseFailsWithoutThePassword(t *testing.T) {
	t.Parallel()
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{Role: config.Migrate, DatabaseURL: "postgres://u:hunter2@127.0.0.1:" + port + "/shop"}
	err = roles.Run(t.Context(), c, none, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "connect to PostgreSQL") || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want a refused connection and no password", err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	c := config.Config{Role: config.Probe, ProbeURL: s.URL + "/readyz"}
	if err := roles.Run(t.Context(), c, none, io.Discard); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	status = http.StatusServiceUnavailable
	if err := roles.Run(t.Context(), c, none, io.Discard); err == nil || !strings.Contains(err.Error(), "answers 503") {
		t.Errorf("got %v, want an error that names 503", err)
	}
}

func TestRedisRoleAsksForThePasswordAndLetsKeysExpire(t *testing.T) {
	t.Parallel()
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + port
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- roles.Run(ctx, config.Config{Role: config.Redis, RedisAddr: addr, RedisPassword: "secret"}, none, writer)
	}()
	line := make([]byte, 100)
	n, err := reader.Read(line)
	if want := fmt.Sprintf("redis listening on %s\n", addr); err != nil || string(line[:n]) != want {
		t.Fatalf("printed %q (%v), want %q", line[:n], err, want)
	}
	stranger := redis.NewClient(&redis.Options{Addr: addr})
	defer stranger.Close()
	if err := stranger.Set(ctx, "key", "value", 0).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without a password: %v, want NOAUTH", err)
	}
	friend := redis.NewClient(&redis.Options{Addr: addr, Password: "secret"})
	defer friend.Close()
	if err := friend.Set(ctx, "key", "value", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); friend.Exists(ctx, "key").Val() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the key does not expire")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRedisRoleOnATakenPortSaysHowToChooseAnother(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	c := config.Config{Role: config.Redis, RedisAddr: strings.TrimPrefix(s.URL, "http://")}
	err := roles.Run(t.Context(), c, none, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use (choose another address with --redis-addr or REDIS_ADDR)") {
		t.Errorf("got %v, want the address and the remedy", err)
	}
}
