// Package console serves the lab console: a page that draws the committed
// dashboards, and read-only access to the stores that they ask.
//
// [New] checks a [Config] and returns the handler. It serves the built page, the
// dashboards as they are committed, and a proxy to Prometheus, Loki, Jaeger and
// Pyroscope that lets through exactly the queries in [Routes]: everything else is
// refused before it reaches a store.
//
// Nothing here listens; whoever serves the handler does so on loopback. Requests
// under another host's name are refused, so that a page on the web cannot read
// the lab by pointing a name of its own at 127.0.0.1, and so are requests that
// another site's page makes.
//
// The handler is safe for concurrent use. At most MaxQueries queries run at a time, others
// wait for their turn; each is given up after QueryTimeout. A store that does
// not answer is an answer too: status 502 with the store's name, which the page
// shows in the panel that asked.
//
// For maintainers:
//
//	console.go   Config, New, the guard in front of everything
//	page.go      the built page, compressed where the build has made it so
//	boards.go    the dashboards and what the page must know of the agent
//	proxy.go     the stores
//	routes.go    the queries that are let through
package console
