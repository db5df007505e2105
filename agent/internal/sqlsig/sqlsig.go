// Package sqlsig reduces SQL text to its signature: what it asks, without the
// values it asks with.
//
// Literals, parameters and comments are removed and lists are shortened to one
// element, so that a query has one signature however often and with whatever
// values it is sent, and so that no value leaves the process in a metric, a
// span or a log line. The scanner knows the quoting rules of PostgreSQL, of
// MySQL and of SQLite; where they contradict each other it prefers to hide.
//
// It is a pure function of its input, takes time linear in it, and accepts any
// bytes at all.
package sqlsig

import "strings"

// MaxLength is the most bytes of a signature; longer ones are cut.
const MaxLength = 512

// Signature is a reduced query.
type Signature struct {
	// Text is the query with "?" for every value and one space for every run
	// of white space.
	Text string
	// Operation is the first keyword in upper case, for example "SELECT".
	// Of a WITH query it is the keyword of the statement proper. It is one of
	// a closed set: what does not begin with a keyword of SQL is "OTHER".
	Operation string
	// Summary is the operation and the table it names first, as in
	// "SELECT users", by the OpenTelemetry conventions for db.query.summary.
	Summary string
}

// Of returns the signature of a query.
func Of(sql string) Signature {
	// Labels and OTLP take nothing but UTF-8, and a label that is none panics.
	s := scanner{in: strings.ToValidUTF8(sql, "\uFFFD")}
	s.out.Grow(min(len(sql), MaxLength))
	s.scan()
	text := strings.TrimRight(s.out.String(), " ;")
	text = shorten(text)
	proper := statement(text) // before the cut: it may come late
	if len(text) > MaxLength {
		text = strings.TrimRight(strings.ToValidUTF8(text[:MaxLength], ""), " ;")
	}
	operation, table := describe(proper)
	summary := operation
	if table != "" {
		summary += " " + table
	}
	return Signature{Text: text, Operation: operation, Summary: summary}
}

// shorten reduces lists: "(?, ?, ?)" to "(?)" and "(?), (?)" to "(?)". Both
// come down to one rule, applied until nothing changes: an element that is
// repeated after a comma is dropped.
func shorten(text string) string {
	for _, element := range []string{"?", "(?)"} {
		for {
			next := strings.ReplaceAll(text, element+", "+element, element)
			if next == text {
				break
			}
			text = next
		}
	}
	return text
}

// statement returns what describes a query: of a WITH query the statement proper,
// without what is in parentheses, and of others their beginning.
func statement(text string) string {
	if len(text) < len("WITH ") || !strings.EqualFold(text[:len("WITH ")], "WITH ") {
		return strings.ToValidUTF8(text[:min(len(text), MaxLength)], "")
	}
	var proper strings.Builder
	depth, quote := 0, byte(0)
	for i := 0; i < len(text) && proper.Len() < MaxLength; i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
			c = ' '
		case c == ')':
			depth = max(0, depth-1)
			c = ' '
		}
		if depth == 0 {
			proper.WriteByte(c)
		}
	}
	return strings.ToValidUTF8(proper.String(), "")
}

// describe finds the operation and the first table.
func describe(text string) (operation, table string) {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '(' || r == ')' || r == ',' || r == ';'
	})
	for i, word := range words {
		upper := strings.ToUpper(word)
		switch upper {
		case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE":
			if operation == "" {
				operation = upper
			}
			if upper == "UPDATE" && table == "" && operation == "UPDATE" && i+1 < len(words) {
				table = words[i+1]
			}
		case "FROM", "INTO":
			if table == "" && operation != "" && i+1 < len(words) {
				table = words[i+1]
			}
		}
		if i == 0 && operation == "" && upper != "WITH" {
			operation = upper
		}
	}
	if strings.EqualFold(table, "SELECT") || strings.HasPrefix(table, "?") {
		table = "" // a subquery or a set-returning value
	}
	if operation != "" && !Known(operation) {
		operation = "OTHER"
	}
	return operation, strings.Trim(table, "\"`")
}

// Known reports whether an operation is one of the keywords, in upper case,
// that statements of PostgreSQL, MySQL and SQLite begin with.
func Known(operation string) bool {
	switch operation {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "UPSERT", "VALUES", "TABLE", "WITH",
		"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE",
		"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "COMMENT", "GRANT", "REVOKE", "REASSIGN",
		"CALL", "DO", "EXEC", "EXECUTE", "PREPARE", "DEALLOCATE", "DECLARE", "FETCH", "MOVE", "OPEN", "CLOSE",
		"COPY", "LOAD", "IMPORT", "LISTEN", "UNLISTEN", "NOTIFY", "LOCK", "UNLOCK",
		"SET", "RESET", "SHOW", "USE", "DISCARD", "PRAGMA", "ATTACH", "DETACH",
		"EXPLAIN", "DESCRIBE", "DESC", "ANALYZE", "VACUUM", "REINDEX", "CLUSTER", "CHECKPOINT", "REFRESH",
		"OPTIMIZE", "CHECK", "REPAIR", "FLUSH", "KILL", "HANDLER", "XA":
		return true
	}
	return false
}
