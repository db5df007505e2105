package replication_test

import (
	"testing"

	"github.com/cacheu/plumbline/agent/replication"
)

func TestParseLSN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]replication.LSN{
		"0/0": 0, "0/16B6C50": 0x16B6C50, "16/B374D848": 0x16_B374D848, "FFFFFFFF/FFFFFFFF": 1<<64 - 1,
	} {
		got, err := replication.ParseLSN(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseLSN(%q) = %d (%s), %v, want %d", text, got, got, err, want)
		}
	}
	for _, bad := range []string{"", "0", "/", "0/", "/0", "0/0/0", "G/0", "-1/0", "+1/0", "0/100000000", "100000000/0", " 0/0"} {
		if got, err := replication.ParseLSN(bad); err == nil {
			t.Errorf("ParseLSN(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzParseLSN(f *testing.F) {
	for _, seed := range []string{"0/0", "16/B374D848", "ffffffff/FFFFFFFF", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := replication.ParseLSN(text)
		if err != nil {
			return
		}
		if again, err := replication.ParseLSN(l.String()); err != nil || again != l {
			t.Errorf("%q is %v, which reads as %v, %v", text, l, again, err)
		}
	})
}

// TestAnInsertPositionBehindAHeaderIsWhereTheLastRecordEnded: a replica that
// has replayed everything stands before the header, the primary behind it.
func TestAnInsertPositionBehindAHeaderIsWhereTheLastRecordEnded(t *testing.T) {
	t.Parallel()
	const segment = 16 << 20
	for name, c := range map[string]struct {
		at      replication.LSN
		segment uint64
		want    replication.LSN
	}{
		"behind a block's header":                  {3*8192 + 24, segment, 3 * 8192},
		"behind a segment's header":                {2*segment + 40, segment, 2 * segment},
		"a record that ended there, no segment":    {3*8192 + 40, segment, 3*8192 + 40},
		"a segment's header of an unknown segment": {2*segment + 40, 0, 2*segment + 40},
		"a block's boundary itself":                {3 * 8192, segment, 3 * 8192},
		"somewhere in a block":                     {3*8192 + 1000, segment, 3*8192 + 1000},
		"nothing":                                  {0, segment, 0},
		"the very first header":                    {24, segment, 24},
	} {
		if got := replication.Settled(c.at, c.segment); got != c.want {
			t.Errorf("%s: %d becomes %d, want %d", name, c.at, got, c.want)
		}
	}
}
