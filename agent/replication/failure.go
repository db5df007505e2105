package replication

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// failure is whose fault an error of a read is.
type failure int

const (
	// failureOwn is the query's or the caller's: it would fail anywhere.
	failureOwn failure = iota
	// failureQuery is the replica's, and this query's only: the replay had to
	// cancel it.
	failureQuery
	// failureServer is the server's: others of its reads will fail too.
	failureServer
)

// blame tells whose fault an error is. It knows the errors of the network, of
// database/sql, and of servers by their SQLSTATE; of a driver it need not know
// more.
func blame(err error) failure {
	if code := state(err); code != "" {
		switch {
		case code == "40001" || code == "40P01":
			return failureQuery // conflict with recovery
		case strings.HasPrefix(code, "08"), // connection exception
			strings.HasPrefix(code, "57P"), // shut down, crashed, starting up
			code == "53300":                // too many connections
			return failureServer
		}
		return failureOwn
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return failureOwn // somebody's patience says nothing of the server
	}
	for _, broken := range []error{
		driver.ErrBadConn, io.ErrUnexpectedEOF, io.EOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, broken) {
			return failureServer
		}
	}
	var network net.Error
	var unsent interface{ SafeToRetry() bool } // pgx, of a connection that was closed before
	if errors.As(err, &network) || errors.As(err, &unsent) && unsent.SafeToRetry() {
		return failureServer
	}
	return failureOwn
}
