package sqlsig_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, SQL, Text, Operation, Summary string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 30 {
		t.Fatalf("corpus has %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got := sqlsig.Of(c.SQL)
			want := sqlsig.Signature{Text: c.Text, Operation: c.Operation, Summary: c.Summary}
			if got != want {
				t.Errorf("Of(%q)\n got %+v\nwant %+v", c.SQL, got, want)
			}
		})
	}
}

// FuzzNoLiteralLeaves hides a secret in every kind of literal within arbitrary
// surroundings that leave the scanner outside a quote, and looks for it.
func FuzzNoLiteralLeaves(f *testing.F) {
	f.Add("SELECT * FROM t WHERE a = ", " AND b")
	f.Add("/* x */ insert into t values (", ", 1)")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.ContainsAny(before, "'\"`$-/*\\") || strings.Contains(before+after, "hunter2") {
			t.Skip("the literal would not be one in there")
		}
		for _, literal := range []string{"'hunter2'", "E'hunter2\\''", "$x$hunter2$x$", "'it''s hunter2'", "\"hunter2 or so\""} {
			if got := sqlsig.Of(before + " " + literal + " " + after).Text; strings.Contains(got, "hunter2") {
				t.Errorf("%q leaked: %q", before+literal+after, got)
			}
		}
	})
}

// FuzzIdempotent: the signature of a signature is itself, so that signatures
// compare equal wherever they were made.
func FuzzIdempotent(f *testing.F) {
	f.Add("SELECT a, b FROM t WHERE x IN (1, 2, 3) -- why\n AND y = 'z'")
	f.Add("select $1::int, :name, @p1")
	f.Add("a - -1 ?| b")
	f.Fuzz(func(t *testing.T, sql string) {
		once := sqlsig.Of(sql)
		if len(once.Text) > sqlsig.MaxLength {
			t.Fatalf("%d bytes", len(once.Text))
		}
		if len(sql) > sqlsig.MaxLength/3 { // a byte becomes three at most
			t.Skip("may be cut off somewhere inside")
		}
		if twice := sqlsig.Of(once.Text); twice.Text != once.Text {
			t.Errorf("%q\nonce  %q\ntwice %q", sql, once.Text, twice.Text)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	const sql = "SELECT o.id, o.total, u.name FROM orders o JOIN users u ON u.id = o.user_id WHERE o.user_id = $1 AND o.created_at > $2 ORDER BY o.created_at DESC LIMIT 20"
	b.ReportAllocs()
	for b.Loop() {
		sqlsig.Of(sql)
	}
}
