package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	kitlog "github.com/go-kit/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/logs"
)

type (
	explodingStringer struct{ io.Reader }
	pointerError      struct{ code int }
	badMarshaler      struct{}
	point             struct{ X, Y int }
	celsius           float64
)

func (explodingStringer) String() string          { panic("no string for you") }
func (e *pointerError) Error() string             { return "code " + strconv.Itoa(e.code) }
func (badMarshaler) MarshalText() ([]byte, error) { return nil, errors.New("cannot be text") }

func TestValues(t *testing.T) {
	t.Parallel()
	var nilError *pointerError
	tests := map[string]struct {
		value any
		want  string // as it stands in the line
	}{
		"nothing is null":                               {nil, `null`},
		"the word null is quoted":                       {"null", `"null"`},
		"a plain string stands as it is":                {"shop", `shop`},
		"an empty string is visible":                    {"", `""`},
		"a space is quoted":                             {"two words", `"two words"`},
		"an equals sign is quoted":                      {"a=b", `"a=b"`},
		"a quote is escaped":                            {`say "hi"`, `"say \"hi\""`},
		"a backslash is escaped":                        {`C:\temp`, `"C:\\temp"`},
		"a newline cannot end the line":                 {"a\nlevel=error", `"a\nlevel=error"`},
		"a carriage return cannot overwrite it":         {"a\rb", `"a\rb"`},
		"a tab is escaped":                              {"a\tb", `"a\tb"`},
		"terminal escapes are disarmed":                 {"\x1b[2J", `"\u001b[2J"`},
		"a NUL is escaped":                              {"a\x00b", `"a\u0000b"`},
		"DEL is escaped":                                {"a\x7fb", `"a\u007fb"`},
		"a C1 control is escaped":                       {"a\u0085b", `"a\u0085b"`},
		"a line separator is escaped":                   {"a\u2028b\u2029c", `"a\u2028b\u2029c"`},
		"invalid UTF-8 becomes valid":                   {"a\xffb", `"a\ufffdb"`},
		"other scripts stand as they are":               {"größe→日本", `größe→日本`},
		"other scripts with a space are quoted":         {"größe 日本", `"größe 日本"`},
		"a quote after other scripts is escaped":        {`日"本`, `"日\"本"`},
		"bytes are text":                                {[]byte("a b"), `"a b"`},
		"true":                                          {true, `true`},
		"an int":                                        {-42, `-42`},
		"the least int64":                               {int64(math.MinInt64), `-9223372036854775808`},
		"an int32":                                      {int32(-7), `-7`},
		"an int8":                                       {int8(-8), `-8`},
		"a uint":                                        {uint(7), `7`},
		"the greatest uint64":                           {uint64(math.MaxUint64), `18446744073709551615`},
		"a uint32":                                      {uint32(32), `32`},
		"a float64":                                     {0.1, `0.1`},
		"a float32 has no digits that it does not have": {float32(0.1), `0.1`},
		"not a number":                                  {math.NaN(), `NaN`},
		"infinity":                                      {math.Inf(1), `+Inf`},
		"a time":                                        {now, `2026-03-04T05:06:07.000008Z`},
		"a duration":                                    {1500 * time.Millisecond, `1.5s`},
		"an error":                                      {errors.New("no route"), `"no route"`},
		"a wrapped error":                               {fmt.Errorf("dial: %w", io.EOF), `"dial: EOF"`},
		"a nil pointer that is an error is null":        {nilError, `null`},
		"a pointer that is an error":                    {&pointerError{7}, `"code 7"`},
		"a stringer":                                    {netip.MustParseAddr("127.0.0.1"), `127.0.0.1`},
		"a stringer that panics is noted":               {explodingStringer{}, `"!PANIC in logs_test.explodingStringer"`},
		"a nil pointer to a stringer is null":           {(*explodingStringer)(nil), `null`},
		"a text marshaler that fails says why":          {badMarshaler{}, `"cannot be text"`},
		"a struct shows its fields":                     {point{1, 2}, `"{X:1 Y:2}"`},
		"a named number":                                {celsius(21.5), `21.5`},
		"a slice":                                       {[]string{"a", "b"}, `"[a b]"`},
		"a nil slice":                                   {[]int(nil), `[]`},
		"a nil map":                                     {map[string]int(nil), `map[]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := start(t)
			if err := p.Logger(trace.SpanContext{}).Log("k", test.value); err != nil {
				t.Errorf("error %v", err)
			}
			if got, want := oneLine(t, p, c), "ts="+nowText+" k="+test.want; got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		keyvals []any
		want    string
	}{
		"no keys":                             {nil, ``},
		"a last key without a value":          {[]any{"a", 1, "b"}, ` a=1 b=(MISSING)`},
		"an empty key":                        {[]any{"", 1}, ` _=1`},
		"a key with a space":                  {[]any{"a b", 1}, ` a_b=1`},
		"a key cannot forge another":          {[]any{"a=1 level", "x"}, ` a_1_level=x`},
		"a key cannot begin a line":           {[]any{"a\nlevel", "x"}, ` a_level=x`},
		"a key cannot open a quote":           {[]any{`"a`, 1}, ` _a=1`},
		"a key with invalid UTF-8":            {[]any{"a\xff", 1}, ` a_=1`},
		"a key with a line separator":         {[]any{"a\u2028b\u0085c", 1}, ` a_b_c=1`},
		"a key of another script":             {[]any{"größe", 1}, ` größe=1`},
		"a number as a key":                   {[]any{7, 1}, ` 7=1`},
		"a stringer as a key":                 {[]any{netip.MustParseAddr("::1"), 1}, ` ::1=1`},
		"an error as a key loses its spaces":  {[]any{errors.New("no \"way\""), 1}, ` no__way_=1`},
		"nil as a key":                        {[]any{nil, 1}, ` null=1`},
		"a stringer that panics as a key":     {[]any{explodingStringer{}, 1}, ` !PANIC_in_logs_test.explodingStringer=1`},
		"the time is the pipeline's":          {[]any{"ts", "yesterday", "a", 1}, ` a=1`},
		"keys stay in their order, and twice": {[]any{"b", 1, "a", 2, "b", 3}, ` b=1 a=2 b=3`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := start(t)
			if err := p.Logger(trace.SpanContext{}).Log(test.keyvals...); err != nil {
				t.Errorf("error %v", err)
			}
			if got, want := oneLine(t, p, c), "ts="+nowText+test.want; got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// FuzzLog logs arbitrary keys and values and reads them back with go-kit's own
// decoder: what comes out is what went in, as one line that breaks no terminal.
func FuzzLog(f *testing.F) {
	f.Add("key", "value", []byte("bytes"), int64(1), 0.5)
	f.Add("a b=\"c\"", "line\nbreak", []byte{0xff, 0xfe}, int64(math.MinInt64), math.NaN())
	f.Add("", "null", []byte{}, int64(0), math.Inf(-1))
	f.Add("\u2028", "\\\"\x00\x7f\u0085", []byte("日本"), int64(-1), 1e300)
	p, c := start(f)
	l := p.Logger(trace.SpanContext{})
	f.Fuzz(func(t *testing.T, key, text string, raw []byte, n int64, x float64) {
		if len(key)+len(text)+len(raw) > 8000 {
			t.Skip("long lines are cut, which is another test's")
		}
		key = "k" + key // neither the pipeline's time nor the level
		_ = l.Log(key, text, key+"2", raw, "n", n, "x", x, "err", errors.New(text), "s", stringer(text))
		line := oneLine(t, p, c)
		checkLine(t, line)
		want := []pair{
			{"ts", nowText},
			{plainKey(key), plainText(text)},
			{plainKey(key + "2"), plainText(string(raw))},
			{"n", strconv.FormatInt(n, 10)},
			{"x", strconv.FormatFloat(x, 'g', -1, 64)},
			{"err", plainText(text)},
			{"s", plainText(text)},
		}
		got := decode(t, line)
		if len(got) != len(want) {
			t.Fatalf("%d pairs, want %d: %s", len(got), len(want), line)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("pair %d: got %q, want %q", i, got[i], want[i])
			}
		}
	})
}

type stringer string

func (s stringer) String() string { return string(s) }

// plainText is what is left of a text: each byte that is not UTF-8 is replaced.
func plainText(s string) string { return string([]rune(s)) }

// plainKey is what is left of a key.
func plainKey(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r <= ' ', r == '=', r == '"', r == utf8.RuneError, breaksTerminals(r):
			return '_'
		}
		return r
	}, plainText(key))
}

func breaksTerminals(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	if !utf8.ValidString(line) {
		t.Errorf("not UTF-8: %q", line)
	}
	if strings.ContainsFunc(line, breaksTerminals) {
		t.Errorf("control characters: %q", line)
	}
}

// TestLongLines cuts lines at each kind of place: in plain text, in quotes, in
// escapes, in characters of several bytes and in keys.
func TestLongLines(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"plain text":                     "x",
		"quoted text":                    "a b ",
		"escaped quotes":                 `"`,
		"escaped backslashes":            `\`,
		"newlines":                       "\n",
		"control characters":             "\x01",
		"characters of two bytes":        "é",
		"characters of three bytes":      "日",
		"characters of four bytes":       "𝄞",
		"four bytes within quotes":       "𝄞 ",
		"invalid UTF-8":                  "\xff",
		"escapes and characters by turn": "\x02é\"日\\",
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := start(t)
			l := p.Logger(span)
			for pad := range 7 { // so that each place within an escape of six bytes is hit
				_ = l.Log(strings.Repeat("p", 1+pad), strings.Repeat(value, 70_000/len(value)))
				checkCut(t, oneLine(t, p, c))
			}
		})
	}
	t.Run("a long key", func(t *testing.T) {
		t.Parallel()
		p, c := start(t)
		_ = p.Logger(span).Log(strings.Repeat("ключ", 20_000), 1)
		checkCut(t, oneLine(t, p, c))
	})
	t.Run("many pairs", func(t *testing.T) {
		t.Parallel()
		p, c := start(t)
		keyvals := make([]any, 30_000)
		for i := range keyvals {
			keyvals[i] = i
		}
		_ = p.Logger(span).Log(keyvals...)
		checkCut(t, oneLine(t, p, c))
	})
}

// checkCut wants a line that is as long as it may be, readable to its end, and
// that still leads to its trace.
func checkCut(t *testing.T, line string) {
	t.Helper()
	const limit = 64<<10 - 1
	if n := len(line) + 1; n > limit || n < limit-32 {
		t.Errorf("%d bytes with the newline, want at most %d and hardly less", n, limit)
	}
	checkLine(t, line)
	pairs := decode(t, line)
	if n := len(pairs); n < 4 {
		t.Fatalf("%d pairs: ...%s", n, line[len(line)-200:])
	}
	n := len(pairs)
	cutPair := pairs[n-3]
	if !strings.HasSuffix(cutPair.key+cutPair.value, "...truncated") {
		t.Errorf("the cut is not noted: ...%s", line[len(line)-200:])
	}
	if pairs[n-2] != (pair{catalog.LogTraceID, "01000000000000000000000000000000"}) || pairs[n-1] != (pair{catalog.LogSpanID, "0200000000000000"}) {
		t.Errorf("the line ends with %q", pairs[n-2:])
	}
}

func TestALineOfTheGreatestLengthIsWhole(t *testing.T) {
	t.Parallel()
	p, c := start(t)
	const room = 64<<10 - 1 - 68 - len("ts="+nowText+" k=")
	l := p.Logger(trace.SpanContext{})
	for extra, wantCut := range map[int]bool{0: false, 1: true} {
		_ = l.Log("k", strings.Repeat("x", room+extra))
		if line := oneLine(t, p, c); strings.HasSuffix(line, "truncated") != wantCut {
			t.Errorf("%d more than fits: cut = %v", extra, !wantCut)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	p, err := logs.Start(logs.Config{Console: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	var l kitlog.Logger = p.Logger(span)
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Log("level", "info", "msg", "order placed", "user", "u-42", "path", "/orders")
	}
	if err := p.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSynchronousLog is what the same line costs with go-kit's own logger.
func BenchmarkSynchronousLog(b *testing.B) {
	l := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(&bytes.Buffer{}))
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Log("ts", time.Now(), "level", "info", "msg", "order placed", "user", "u-42", "path", "/orders")
	}
}
