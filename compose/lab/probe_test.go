package lab

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answering serves one TCP connection after the other.
func answering(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// postgresReply reads a startup message and sends one answer.
func postgresReply(kind byte, body string) func(net.Conn) {
	return func(conn net.Conn) {
		startup := make([]byte, 256)
		_, _ = conn.Read(startup)
		reply := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
		_, _ = conn.Write(append(reply, body...))
	}
}

// redisReply answers each command by its first word.
func redisReply(answers map[string]string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if answer, known := answers[strings.TrimSpace(line)]; known {
				_, _ = conn.Write([]byte(answer + "\r\n"))
			}
		}
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ready":
		case "/away":
			http.Redirect(w, r, "/ready", http.StatusFound)
		default:
			http.Error(w, "redis is\nnot reachable", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	mute := answering(t, func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Read(make([]byte, 4096))
	})
	closed, err := freePort(map[int]bool{})
	if err != nil {
		t.Fatal(err)
	}
	pg := func(kind byte, body string) probe {
		return probe{Kind: probePostgres, Target: answering(t, postgresReply(kind, body)), User: "u", Database: "d"}
	}
	redis := func(password string, answers map[string]string) probe {
		return probe{Kind: probeRedis, Target: answering(t, redisReply(answers)), Password: password}
	}
	cases := map[string]struct {
		probe probe
		want  string // part of the error; nothing means success
	}{
		"a web server that is ready":           {probe{Kind: probeHTTP, Target: web.URL + "/ready"}, ""},
		"a web server that says what is wrong": {probe{Kind: probeHTTP, Target: web.URL + "/"}, "503 Service Unavailable: redis is not reachable"},
		"a web server that sends elsewhere":    {probe{Kind: probeHTTP, Target: web.URL + "/away"}, "302 Found"},
		"a port where nothing listens":         {probe{Kind: probeHTTP, Target: httpURL(closed, "/")}, "refused"},
		"a server that accepts and is mute":    {probe{Kind: probeHTTP, Target: "http://" + mute}, "deadline exceeded"},
		"postgres that asks for a password":    {pg('R', "\x00\x00\x00\x0a"), ""},
		"postgres that is still starting":      {pg('E', "SFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"), "the database system is starting up"},
		"postgres that accepts and is mute":    {probe{Kind: probePostgres, Target: mute}, "timeout"},
		"something else on the port":           {pg('H', "TTP"), `unexpected answer 'H'`},
		"redis with a password":                {redis("pw", map[string]string{"AUTH": "+OK", "PING": "+PONG"}), ""},
		"redis that needs no password":         {redis("pw", map[string]string{"AUTH": "-ERR no password is set", "PING": "+PONG"}), ""},
		"redis that refuses the password":      {redis("pw", map[string]string{"AUTH": "-WRONGPASS", "PING": "-NOAUTH"}), "-NOAUTH"},
		"redis that still loads":               {redis("", map[string]string{"PING": "-LOADING"}), "-LOADING"},
		"a component that cannot be asked":     {probe{}, ""},
		"a kind of probe that does not exist":  {probe{Kind: "smoke"}, "unknown kind"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 10 * time.Second
			if strings.Contains(name, "mute") {
				limit = 50 * time.Millisecond
			}
			err := c.probe.check(t.Context(), limit)
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestStartupMessageOfPostgres(t *testing.T) {
	t.Parallel()
	got := string(postgresStartup("me", "mine"))
	want := "\x00\x00\x00\x1f\x00\x03\x00\x00user\x00me\x00database\x00mine\x00\x00"
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}
