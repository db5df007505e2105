package logs

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// The logfmt rules here are those of the go-logfmt package that go-kit/log
// uses: a value is quoted when it is empty of meaning otherwise (spaces,
// '=', '"', control characters, invalid UTF-8), and a key never is. They are
// appended by hand because a log call is on the request's path, and the
// general encoder allocates for every number.

const hexDigits = "0123456789abcdef"

// appendKey appends a space, a key and '='; every line begins with its time,
// so a key is never first. What logfmt does not allow in a key, and what breaks
// lines, becomes '_', so that hostile input cannot forge a second key.
func appendKey(b []byte, key string) []byte {
	b = append(b, ' ')
	if key == "" {
		b = append(b, '_')
	}
	for _, r := range key {
		if r <= ' ' || r == '=' || r == '"' || r == utf8.RuneError || isControl(r) {
			r = '_'
		}
		b = utf8.AppendRune(b, r)
	}
	return append(b, '=')
}

// appendValue appends any value. It never panics: a value whose own method
// panics is replaced by a note of that.
func appendValue(b []byte, value any) (out []byte) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case []byte:
		return appendString(b, string(v))
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case int32:
		return strconv.AppendInt(b, int64(v), 10)
	case uint:
		return strconv.AppendUint(b, uint64(v), 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case float32:
		return strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	case time.Time:
		return v.AppendFormat(b, time.RFC3339Nano)
	}
	return appendSlow(b, value)
}

// appendSlow appends values through their own methods or reflection.
func appendSlow(b []byte, value any) (out []byte) {
	start := len(b)
	defer func() {
		if p := recover(); p != nil {
			out = appendString(b[:start], fmt.Sprintf("!PANIC in %T", value))
			if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && v.IsNil() {
				out = append(b[:start], "null"...) // as go-kit/log has it
			}
		}
	}()
	switch v := value.(type) {
	case error:
		return appendString(b, v.Error())
	case fmt.Stringer:
		return appendString(b, v.String())
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return appendString(b, err.Error())
		}
		return appendString(b, string(text))
	}
	return appendString(b, fmt.Sprintf("%+v", value))
}

func appendString(b []byte, s string) []byte {
	if s == "" {
		return append(b, '"', '"')
	}
	if !needsQuotes(s) {
		return append(b, s...)
	}
	return appendQuoted(b, s)
}

func needsQuotes(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ', c == '=', c == '"', c == '\\', c == 0x7f:
			return true
		case c >= utf8.RuneSelf:
			return !utf8.ValidString(s) || needsQuotesRunes(s[i:])
		}
	}
	return s == "null"
}

// needsQuotesRunes is needsQuotes for text beyond ASCII.
func needsQuotesRunes(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == '=' || r == '"' || r == '\\' || isControl(r) {
			return true
		}
	}
	return false
}

// isControl finds the control characters after the space, among them the line
// separators beyond ASCII that some viewers break lines at.
func isControl(r rune) bool {
	return r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < ' ' || isControl(r):
			b = append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return append(b, '"')
}

// cut shortens an encoded line to at most limit bytes and notes that it did.
// What is left is a line still: no half character, no half escape sequence and
// no open quote, in which whatever follows would be lost.
func cut(b []byte, limit int) []byte {
	limit -= len(truncated) + 1 // and the closing quote
	end, quoted := 0, false
	for end < limit {
		size := 1
		switch c := b[end]; {
		case quoted && c == '\\' && b[end+1] == 'u':
			size = len(`\u0000`)
		case quoted && c == '\\':
			size = len(`\n`)
		case c >= utf8.RuneSelf:
			_, size = utf8.DecodeRune(b[end:])
		}
		if end+size > limit {
			break
		}
		if b[end] == '"' {
			quoted = !quoted
		}
		end += size
	}
	b = append(b[:end], truncated...)
	if quoted {
		b = append(b, '"')
	}
	return b
}

const truncated = "...truncated"
