package sqlsig_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

// TestAmbiguousQuotes: for MySQL a backslash before a quote makes it part of
// the string, for PostgreSQL it does not. What may be a value by either is
// hidden; what is certain is shown.
func TestAmbiguousQuotes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ sql, want string }{
		"an escaped quote hides the rest":                     {`SELECT * FROM t WHERE a = 'it\'s hunter2' AND b = 1`, "SELECT * FROM t WHERE a = ?"},
		"two strings with escaped quotes":                     {`INSERT INTO t VALUES ('it\'s hunter2', 'that\'s hunter2')`, "INSERT INTO t VALUES (?"},
		"a string that ends with a backslash, and no other":   {`SELECT a FROM t WHERE p = 'C:\' AND b > c`, "SELECT a FROM t WHERE p = ? AND b > c"},
		"two strings that end with a backslash":               {`SELECT a FROM t WHERE p = 'C:\' AND q = 'D:\'`, "SELECT a FROM t WHERE p = ?"},
		"an escaped backslash is the same for both":           {`SELECT 'C:\\', 'x' FROM t`, "SELECT ? FROM t"},
		"an escaped backslash and an escaped quote":           {`SELECT 'C:\\\'hunter2', b FROM t`, "SELECT ?"},
		"an escaped quote before a doubled one":               {`SELECT 'a\''hunter2', b FROM t`, "SELECT ?"},
		"an E string has escapes for certain":                 {`SELECT E'it\'s', b FROM t`, "SELECT ?, b FROM t"},
		"an escaped double quote in a MySQL string":           {`SELECT * FROM t WHERE a = "say \"hunter2\" now" AND b`, "SELECT * FROM t WHERE a = ?"},
		"a backslash in a comment means nothing":              {`SELECT a /* \' */ FROM t WHERE b = 'x'`, "SELECT a FROM t WHERE b = ?"},
		"a doubled quote alone is certain":                    {`SELECT 'it''s', b FROM t`, "SELECT ?, b FROM t"},
		"a quote in an identifier does not begin a string":    {`SELECT "a'b", c FROM t`, "SELECT ?, c FROM t"},
		"a backslash elsewhere in a string is of no interest": {`SELECT 'a\nb', c FROM t`, "SELECT ?, c FROM t"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sqlsig.Of(test.sql).Text; got != test.want {
				t.Errorf("Of(%q)\n got %q\nwant %q", test.sql, got, test.want)
			}
		})
	}
}

func TestOperationsAreAClosedSet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ sql, want string }{
		"a keyword":                     {"select 1", "SELECT"},
		"a keyword that few use":        {"refresh materialized view v", "REFRESH"},
		"a word that is none":           {"hunter2 rows", "OTHER"},
		"a value":                       {"42", "OTHER"},
		"a long word":                   {strings.Repeat("x", 10_000), "OTHER"},
		"another script":                {"выбрать 1", "OTHER"},
		"bytes that are no text":        {"\xff\xfe\xfd", "OTHER"},
		"nothing":                       {"", ""},
		"a comment":                     {"-- ping", ""},
		"brackets":                      {"((select 1))", "SELECT"},
		"WITH and no statement":         {"with x", ""},
		"a keyword later in a sentence": {"please select 1", "OTHER"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sqlsig.Of(test.sql)
			if got.Operation != test.want {
				t.Errorf("Of(%.50q).Operation = %q, want %q", test.sql, got.Operation, test.want)
			}
			if !strings.HasPrefix(got.Summary, got.Operation) {
				t.Errorf("summary %q does not begin with operation %q", got.Summary, got.Operation)
			}
		})
	}
}

func TestSignaturesAreBounded(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"many columns":          "SELECT " + strings.Repeat("column_name, ", 500) + "x FROM t",
		"letters of two bytes":  "SELECT " + strings.Repeat("имя ", 500),
		"letters of four bytes": "SELECT x" + strings.Repeat("𝄞", 500),
		"a long identifier":     "SELECT " + strings.Repeat("y", 5000),
	}
	for name, sql := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sqlsig.Of(sql).Text
			if len(got) > sqlsig.MaxLength || len(got) < sqlsig.MaxLength-utf8.UTFMax {
				t.Errorf("%d bytes, want at most %d and hardly less", len(got), sqlsig.MaxLength)
			}
			if !utf8.ValidString(got) {
				t.Errorf("not UTF-8: %q", got)
			}
		})
	}
}

// FuzzSignatureFitsALabel: whatever is sent as SQL, the signature is a label
// value that Prometheus and OTLP take, and the operation is one that is known.
func FuzzSignatureFitsALabel(f *testing.F) {
	data, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ SQL string }
	if err := json.Unmarshal(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.SQL)
	}
	f.Add("SELECT \xff FROM \xfe WHERE a = '\\'' x")
	f.Fuzz(func(t *testing.T, sql string) {
		s := sqlsig.Of(sql)
		for what, text := range map[string]string{"text": s.Text, "operation": s.Operation, "summary": s.Summary} {
			if !utf8.ValidString(text) {
				t.Errorf("the %s is not UTF-8: %q", what, text)
			}
			if strings.ContainsAny(text, "\n\r\t\x00") {
				t.Errorf("the %s has control characters: %q", what, text)
			}
		}
		if len(s.Text) > sqlsig.MaxLength || len(s.Summary) > 2*sqlsig.MaxLength {
			t.Errorf("%d bytes of text, %d of summary", len(s.Text), len(s.Summary))
		}
		if s.Operation != "" && s.Operation != "OTHER" && !sqlsig.Known(s.Operation) {
			t.Errorf("operation %q", s.Operation)
		}
		if strings.ContainsRune(s.Text, '\'') {
			t.Errorf("a quote is left: %q", s.Text)
		}
	})
}

// FuzzNoEscapedLiteralLeaves hides a secret in a string with escaped quotes, as
// MySQL has them, among arbitrary plain strings.
func FuzzNoEscapedLiteralLeaves(f *testing.F) {
	f.Add("it", "s here", " AND b = ")
	f.Add("", "", ", ")
	f.Fuzz(func(t *testing.T, before, after, between string) {
		for _, part := range []string{before, after, between} {
			if strings.ContainsAny(part, "'\"`$\\") || strings.Contains(part, "--") || strings.Contains(part, "/*") || strings.Contains(part, "hunter2") {
				t.Skip("quotes, escapes and comments of its own")
			}
		}
		literal := `'` + before + `\'hunter2` + after + `'`
		sql := "SELECT * FROM t WHERE a = " + literal + between + literal
		if got := sqlsig.Of(sql); strings.Contains(strings.ToLower(got.Text+got.Summary), "hunter2") {
			t.Errorf("Of(%q) = %q shows the secret", sql, got.Text)
		}
	})
}
