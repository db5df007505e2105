package loadgen

import (
	"fmt"
	"net/http"
	"strings"
)

// Target is one request that is to be sent.
type Target struct {
	// Route names the kind of request: a template such as "/api/users/:id",
	// without identifiers. It becomes part of a span's name.
	Route string
	// Method defaults to GET.
	Method string
	// URL is the whole address.
	URL string
	// Body is sent with the content type of JSON unless Header names another.
	// Empty sends none.
	Body string
	// Header is added to the request. It is not changed, so that targets may
	// share one.
	Header http.Header
	// Client sends the request, for cookies of its own for instance. Nil means
	// that of the attacker.
	Client *http.Client
}

// Source returns the next target. It is called by one goroutine, once for each
// planned request, sent or skipped, so that the sequence stays the same. It
// must not block.
type Source func() Target

// Always returns a source of one target.
func Always(t Target) Source { return func() Target { return t } }

// Cycle returns a source that counts: the paths "a", "b" and "c" come as a, b,
// c, a and so on, and in each "{n}" is replaced by the number of the request,
// from 0 on. Paths must not be empty.
func Cycle(base, method, route string, paths []string, body string) Source {
	n := 0
	return func() Target {
		number := fmt.Sprint(n)
		t := Target{
			Route: route, Method: method,
			URL:  base + strings.ReplaceAll(paths[n%len(paths)], "{n}", number),
			Body: strings.ReplaceAll(body, "{n}", number),
		}
		n++
		return t
	}
}
