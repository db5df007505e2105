package lab

import (
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
)

func TestStatOfAProcess(t *testing.T) {
	t.Parallel()
	const rest = " S 41 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200 18446744073709551615"
	cases := map[string]struct {
		line string
		want stat
		bad  bool
	}{
		"a plain command name":                    {line: "42 (loki)" + rest, want: stat{parent: 41, state: 'S', start: 98765}},
		"a command name with spaces and brackets": {line: "42 (a) R (b c)" + rest, want: stat{parent: 41, state: 'S', start: 98765}},
		"a line without a command name":           {line: "42 loki" + rest, bad: true},
		"a line that is cut short":                {line: "42 (loki) S 41 42", bad: true},
		"a start time that is no number":          {line: "42 (x) S 41 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 never 20", bad: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat([]byte(c.line))
			if (err != nil) != c.bad || got != c.want {
				t.Errorf("parseStat = %+v, %v; want %+v, error %v", got, err, c.want, c.bad)
			}
		})
	}
}

func TestIdentityTellsProcessesApart(t *testing.T) {
	t.Parallel()
	self, err := identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		id   identity
		want bool
	}{
		"this process":                     {self, true},
		"the same pid at another time":     {identity{PID: self.PID, Start: self.Start + 1}, false},
		"the same start with another pid":  {identity{PID: 1 << 22, Start: self.Start}, false},
		"the zero value, which is no pid":  {identity{}, false},
		"a negative pid, which is a group": {identity{PID: -1, Start: self.Start}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.id.alive(); got != c.want {
				t.Errorf("alive = %v, want %v", got, c.want)
			}
		})
	}
	// Were the start time not compared, this would kill the test program.
	if err := (identity{PID: self.PID, Start: self.Start + 1}).signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestListeningSockets(t *testing.T) {
	t.Parallel()
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	cases := map[string]struct {
		table string
		want  []listener
	}{
		"a listener on loopback": {
			head + "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n",
			[]listener{{netip.MustParseAddrPort("127.0.0.1:8080"), 4711}},
		},
		"an established connection is none": {
			head + "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n", nil,
		},
		"a listener on every IPv6 address": {
			head + "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100 0 0 10 0\n",
			[]listener{{netip.MustParseAddrPort("[::]:80"), 5}},
		},
		"a listener on an IPv4 address in IPv6 form": {
			head + "   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6 1 0 100 0 0 10 0\n",
			[]listener{{netip.MustParseAddrPort("127.0.0.1:80"), 6}},
		},
		"a listener on IPv6 loopback": {
			head + "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0\n",
			[]listener{{netip.MustParseAddrPort("[::1]:80"), 7}},
		},
		"lines that are cut short": {head + "   0: 0100007F:1F90 00000000:0000 0A\n 1: zz:1 0:0 0A 0 0 0 0 0 9\n", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parseListeners([]byte(c.table)); !slices.Equal(got, c.want) {
				t.Errorf("listeners %v, want %v", got, c.want)
			}
		})
	}
}

func TestSocketLinks(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]uint64{"socket:[4711]": 4711, "pipe:[4711]": 0, "/dev/null": 0, "socket:[x]": 0} {
		if got, ok := parseSocketLink(link); got != want || ok != (want > 0) {
			t.Errorf("%s: inode %d, %v; want %d", link, got, ok, want)
		}
	}
}
