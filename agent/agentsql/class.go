package agentsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// classOf names what kind of error it is. The text of an error is never part of
// the name: "invalid input for type integer: 'secret'" quotes a value.
func classOf(err error) string {
	var answer interface{ SQLState() string } // pgconn.PgError, pq.Error and others
	var network net.Error
	switch {
	case errors.As(err, &answer) && isState(answer.SQLState()):
		return answer.SQLState()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, driver.ErrBadConn), errors.As(err, &network),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection"
	case errors.Is(err, errNotRun):
		return "not_run"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	if name := fmt.Sprintf("%T", err); !strings.HasPrefix(name, "*errors.") && !strings.HasPrefix(name, "*fmt.") {
		return name
	}
	return catalog.MethodOther // an error that is nothing but text
}

// isState reports whether s is an SQL state: five digits or capital letters.
func isState(s string) bool {
	if len(s) != 5 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
