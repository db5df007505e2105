package testdb

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/internal/testpg"
)

// Redis starts a Redis for one test and returns its address: the machine's
// redis-server, or miniredis in this process where that is not installed. It
// ends with the test.
func Redis(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return miniredis.RunT(tb).Addr()
	}
	port, err := testpg.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	cmd.Dir = tb.TempDir()
	cmd.SysProcAttr = testpg.EndsWithTest()
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start redis-server: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tb.Cleanup(func() {
		if err := cmd.Process.Kill(); err == nil {
			<-done
		}
	})
	addr := net.JoinHostPort("127.0.0.1", port)
	if err := pingRedis(addr, done); err != nil {
		tb.Fatalf("wait for redis-server: %v", err)
	}
	return addr
}

// pingRedis returns when the server at addr answers, has ended or is too slow.
func pingRedis(addr string, done <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer client.Close()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case status := <-done:
			return errors.Join(errors.New("it ended during start-up"), status)
		case <-ctx.Done():
			return err
		case <-retry.C:
		}
	}
}
