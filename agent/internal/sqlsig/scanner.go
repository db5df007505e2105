package sqlsig

import "strings"

// scanner copies SQL to out and replaces values by "?".
type scanner struct {
	in  string
	pos int
	out strings.Builder
	gap bool // white space or a comment was read since the last write
}

func (s *scanner) scan() {
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; {
		case c <= ' ':
			s.pos++
			s.gap = true
		case strings.HasPrefix(s.in[s.pos:], "--"):
			s.skipTo("\n")
		case strings.HasPrefix(s.in[s.pos:], "/*"):
			s.skipBlockComment()
		case c == '\'':
			s.quoted(false)
		case c == '"', c == '`':
			s.identifier(c)
		case c == '$' && s.dollar():
		case isDigit(c), c == '.' && isDigit(s.at(1)):
			s.number()
		case (c == '-' || c == '+') && s.signed():
			s.pos++ // the sign is part of the value that follows
		case c == '?' && !s.questionOperator():
			s.pos++
			s.value()
		case (c == ':' || c == '@') && isWord(s.at(1)) && s.last() != c:
			s.word()
			s.value()
		case c == ':' && s.at(1) == ':':
			s.write("::")
			s.pos += 2
		case isWord(c):
			s.identifierOrPrefix()
		case c == ',':
			s.comma()
		default:
			s.write(s.in[s.pos : s.pos+1])
			s.pos++
		}
	}
}

// questionOperator reports whether the question mark at hand begins one of
// PostgreSQL's operators ?| ?& ?- and not a parameter before a comment.
func (s *scanner) questionOperator() bool {
	switch s.at(1) {
	case '|', '&':
		return true
	case '-':
		return s.at(2) != '-'
	}
	return false
}

// at returns the byte n after the current one, or 0.
func (s *scanner) at(n int) byte {
	if s.pos+n < len(s.in) {
		return s.in[s.pos+n]
	}
	return 0
}

// last returns the last byte written, or 0.
func (s *scanner) last() byte {
	if s.out.Len() == 0 {
		return 0
	}
	return s.out.String()[s.out.Len()-1]
}

// write copies text, with one space for a gap before it, except where the
// space means nothing: so "a = 1" and "a=1" still differ, but "( 1 )" is "(1)".
func (s *scanner) write(text string) {
	if s.gap && s.out.Len() > 0 && s.last() != '(' && s.last() != ' ' && text != ")" && text != ";" {
		s.out.WriteByte(' ')
	}
	s.gap = false
	s.out.WriteString(text)
}

func (s *scanner) value() {
	if isWord(s.last()) && !s.gap { // never glue a value to a word
		s.gap = true
	}
	s.write("?")
}

// comma writes ", " whatever the spacing was, so that lists compare equal.
func (s *scanner) comma() {
	s.gap = false
	s.write(",")
	s.pos++
	s.gap = true
}

func (s *scanner) skipTo(end string) {
	s.gap = true
	if i := strings.Index(s.in[s.pos:], end); i >= 0 {
		s.pos += i + len(end)
		return
	}
	s.pos = len(s.in)
}

// skipBlockComment reads nested comments, as PostgreSQL does.
func (s *scanner) skipBlockComment() {
	s.gap = true
	depth := 0
	for s.pos < len(s.in) {
		switch {
		case strings.HasPrefix(s.in[s.pos:], "/*"):
			depth++
			s.pos += 2
		case strings.HasPrefix(s.in[s.pos:], "*/"):
			depth--
			s.pos += 2
			if depth == 0 {
				return
			}
		default:
			s.pos++
		}
	}
}

// quoted reads a string. A backslash escapes the next character in MySQL and in
// the E strings of PostgreSQL, and stands for itself in its other strings; see
// ambiguous.
func (s *scanner) quoted(backslash bool) {
	start := s.pos
	for s.pos++; s.pos < len(s.in); s.pos++ {
		switch {
		case backslash && s.in[s.pos] == '\\':
			s.pos++
		case s.in[s.pos] == '\'' && s.ambiguous(start):
			s.pos = len(s.in)
			s.value()
			return
		case s.in[s.pos] == '\'' && s.at(1) == '\'':
			s.pos++
		case s.in[s.pos] == '\'':
			s.pos++
			s.value()
			return
		}
	}
	s.pos = len(s.in)
	s.value()
}

// ambiguous reports whether the quote at hand ends what begins at start for
// PostgreSQL, but not for MySQL, to which the backslash before it says that it
// is part of the string. Then nobody can tell which of the rest is a value, and
// all of it is hidden. Where no other quote follows, MySQL would find no end:
// it is PostgreSQL.
func (s *scanner) ambiguous(start int) bool {
	backslashes := 0
	for i := s.pos - 1; i > start && s.in[i] == '\\'; i-- {
		backslashes++
	}
	return backslashes%2 == 1 && strings.IndexByte(s.in[s.pos+1:], s.in[s.pos]) >= 0
}

// identifier copies a quoted identifier. What holds more than a name could
// (MySQL reads "..." as a string) is a value.
func (s *scanner) identifier(quote byte) {
	end := strings.IndexByte(s.in[s.pos+1:], quote)
	if end < 0 {
		s.pos = len(s.in)
		s.value()
		return
	}
	name, start := s.in[s.pos+1:s.pos+1+end], s.pos
	if s.pos += end + 1; s.ambiguous(start) {
		s.pos = len(s.in)
		s.value()
		return
	}
	s.pos++
	for i := range len(name) {
		if !isWord(name[i]) || i == 0 && isDigit(name[i]) {
			s.value()
			return
		}
	}
	if name == "" {
		s.value()
		return
	}
	s.write(string(quote) + name + string(quote))
}

// dollar reads $1 and $tag$...$tag$; it reports false for any other '$'.
func (s *scanner) dollar() bool {
	if isDigit(s.at(1)) {
		s.pos++
		for s.pos < len(s.in) && isDigit(s.in[s.pos]) {
			s.pos++
		}
		s.value()
		return true
	}
	end := s.pos + 1
	for end < len(s.in) && isWord(s.in[end]) && s.in[end] != '$' {
		end++
	}
	if end >= len(s.in) || s.in[end] != '$' {
		return false
	}
	tag := s.in[s.pos : end+1]
	s.pos = end + 1
	if i := strings.Index(s.in[s.pos:], tag); i >= 0 {
		s.pos += i + len(tag)
	} else {
		s.pos = len(s.in)
	}
	s.value()
	return true
}

// number reads an integer, a decimal with exponent, or a hexadecimal number.
func (s *scanner) number() {
	for s.pos < len(s.in) {
		c := s.in[s.pos]
		exponent := (c == '-' || c == '+') && (s.in[s.pos-1]|0x20) == 'e' && isDigit(s.at(1))
		if !isWord(c) && c != '.' && !exponent {
			break
		}
		s.pos++
	}
	s.value()
}

// signed reports whether the sign at hand belongs to a number: it does after
// an operator, a bracket, a comma or a keyword, and not after a value.
func (s *scanner) signed() bool {
	if !isDigit(s.at(1)) && !(s.at(1) == '.' && isDigit(s.at(2))) {
		return false
	}
	switch s.last() {
	case '=', '<', '>', '(', ',', '+', '*', '/', '%', '|', 0:
		return true
	}
	return false
}

func (s *scanner) word() {
	s.pos++
	for s.pos < len(s.in) && isWord(s.in[s.pos]) {
		s.pos++
	}
}

// identifierOrPrefix copies a word, unless it is the prefix of a string
// (E'..', B'..', X'..', N'..'), which belongs to the value.
func (s *scanner) identifierOrPrefix() {
	start := s.pos
	s.word()
	word := s.in[start:s.pos]
	if s.at(0) == '\'' && len(word) == 1 && strings.ContainsAny(word, "eEbBxXnN") {
		s.quoted(word == "e" || word == "E")
		return
	}
	s.write(word)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWord also takes every byte beyond ASCII: identifiers may hold letters of
// any script.
func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}
