package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeKind says how a component is asked whether it works.
type probeKind string

const (
	probeHTTP     probeKind = "http"     // GET answers 2xx
	probePostgres probeKind = "postgres" // accepts a session, as pg_isready asks
	probeRedis    probeKind = "redis"    // answers PING
)

// A probe that takes longer than its limit counts as failed: one limit while
// starting, where it is asked again at once, and a longer one for `status`.
const (
	startProbeLimit  = time.Second
	statusProbeLimit = 3 * time.Second
)

// probe asks one component whether it works. The zero value always succeeds.
type probe struct {
	Kind     probeKind `json:"kind,omitempty"`
	Target   string    `json:"target,omitempty"` // URL, or host:port
	User     string    `json:"user,omitempty"`
	Database string    `json:"database,omitempty"`
	Password string    `json:"password,omitempty"`
}

// check returns nil when the component says that it works, else why not. It
// ends within limit and is safe for concurrent use.
func (p probe) check(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch p.Kind {
	case "":
		return nil
	case probeHTTP:
		return checkHTTP(ctx, p.Target)
	case probePostgres:
		return checkPostgres(ctx, p)
	case probeRedis:
		return checkRedis(ctx, p)
	}
	return fmt.Errorf("probe: unknown kind %q", p.Kind)
}

// checkHTTP wants a 2xx answer from exactly this address: no proxy, no
// connection that an earlier probe left open, no redirect followed elsewhere.
func checkHTTP(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("probe %s: %w", url, err)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	if response.StatusCode/100 == 2 {
		return nil
	}
	return fmt.Errorf("GET %s answers %s: %s", url, response.Status, oneLine(body))
}

// oneLine flattens an answer for an error message.
func oneLine(body []byte) string {
	const limit = 200
	line := strings.Join(strings.Fields(string(body)), " ")
	if len(line) > limit {
		line = line[:limit] + "..."
	}
	return line
}

// dialProbe connects and gives the connection the context's deadline.
func dialProbe(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// checkPostgres opens a session and reads the first answer: an authentication
// request means that the server takes sessions, an error (57P03: starting up,
// shutting down, recovering) that it does not.
func checkPostgres(ctx context.Context, p probe) error {
	conn, err := dialProbe(ctx, p.Target)
	if err != nil {
		return fmt.Errorf("probe postgres: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(postgresStartup(p.User, p.Database)); err != nil {
		return fmt.Errorf("probe postgres: %w", err)
	}
	var header [5]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return fmt.Errorf("probe postgres: %w", err)
	}
	// The whole answer is read, even where its first byte says it all: closing
	// with unread bytes resets the connection, which the server would log.
	size := min(binary.BigEndian.Uint32(header[1:]), 4096)
	body, _ := io.ReadAll(io.LimitReader(conn, int64(max(size, 4)-4)))
	switch header[0] {
	case 'R':
		return nil
	case 'E':
		return fmt.Errorf("probe postgres: it answers: %s", postgresMessage(body))
	}
	return fmt.Errorf("probe postgres: unexpected answer %q on %s", header[0], p.Target)
}

// postgresStartup is the first message of protocol 3.0.
func postgresStartup(user, database string) []byte {
	var body bytes.Buffer
	_ = binary.Write(&body, binary.BigEndian, uint32(3<<16))
	for _, text := range []string{"user", user, "database", database, ""} {
		body.WriteString(text)
		body.WriteByte(0)
	}
	message := binary.BigEndian.AppendUint32(nil, uint32(body.Len()+4))
	return append(message, body.Bytes()...)
}

// postgresMessage takes the human-readable field (M) out of an error.
func postgresMessage(body []byte) string {
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if len(field) > 1 && field[0] == 'M' {
			return string(field[1:])
		}
	}
	return "an error without a message"
}

// checkRedis authenticates where there is a password, then wants PONG. A server
// without a password refuses AUTH, which is no reason to call it down.
func checkRedis(ctx context.Context, p probe) error {
	conn, err := dialProbe(ctx, p.Target)
	if err != nil {
		return fmt.Errorf("probe redis: %w", err)
	}
	defer func() { _ = conn.Close() }()
	replies := bufio.NewReader(conn)
	if p.Password != "" {
		if _, err := redisCommand(conn, replies, "AUTH", p.Password); err != nil {
			return err
		}
	}
	reply, err := redisCommand(conn, replies, "PING")
	if err != nil {
		return err
	}
	if reply != "+PONG" {
		return fmt.Errorf("probe redis: PING answers %q", reply)
	}
	return nil
}

// redisCommand sends one command and reads its one-line reply.
func redisCommand(w io.Writer, r *bufio.Reader, words ...string) (string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(w, command.String()); err != nil {
		return "", fmt.Errorf("probe redis: %w", err)
	}
	reply, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("probe redis: %w", err)
	}
	return strings.TrimSpace(reply), nil
}
