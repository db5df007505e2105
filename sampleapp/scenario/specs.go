package scenario

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// All returns every scenario, in the order of the lessons.
func All() []Spec {
	return []Spec{
		averageIsALiar(), utilization(), syncLogging(), cpuProfile(), nPlusOne(), index(), indexCost(), sessions(), replicationLag(),
		async(), microservices(), cache(),
	}
}

// paths returns GET requests of one template with the numbers from 1 to n.
func paths(template string, n int) []Request {
	all := make([]Request, n)
	for i := range all {
		all[i] = Request{Path: fmt.Sprintf(template, i+1)}
	}
	return all
}

// load is a load with constant arrivals.
func load(rate float64, length time.Duration, rounds int) Load {
	return Load{Rate: rate, Arrivals: "constant", Length: length, Rounds: rounds}
}

// quickRounds is the least that allows a verdict.
const quickRounds = 5

func averageIsALiar() Spec {
	return Spec{
		Name: "average-is-a-liar", Title: "The average hides the one request in a hundred that takes a hundred times as long",
		Assumption: "An average of 100 ms means that users wait about 100 ms.",
		Variants: []Variant{
			{Before, "asks a ledger that takes 50 ms; for one customer in a hundred an archive makes a report anew, which takes 5 s"},
			{After, "asks the same ledger; the reports were made ahead and are read from a table"},
		},
		Route: "/api/customers/:id/balance", Requests: paths("/api/customers/%d/balance", 100),
		Full: load(100, 10*time.Second, 5), Quick: load(100, 4*time.Second, quickRounds),
		Symptoms: []Symptom{{
			Means: "share of requests above 2.5 s", Of: Slow, Metric: catalog.HTTPServerRequestDuration, Limit: 2.5,
			Before: Band{0.0099, 0.0101}, After: Exactly(0),
		}},
		Alert:       "LatencyBudgetBurnSlow",
		Improvement: Improvement{MeanRatio: Band{0.3, 0.8}, P99Ratio: AtMost(0.05)},
	}
}

func syncLogging() Spec {
	component := func(c catalog.Component) map[catalog.Label]string {
		return map[catalog.Label]string{catalog.ComponentLabel: string(c)}
	}
	return Spec{
		Name: "sync-logging", Title: "The slow API waits for its logging service, not for its database",
		Assumption: "The API is slow, so it must be the database; a cache will help.",
		Variants: []Variant{
			{Before, "10 ms of database, 5 ms of logic, and a log line that is sent to a logging service and waited for: 500 ms"},
			{After, "the same, with the line put into the agent's queue"},
		},
		Route: "/api/products/:id", Requests: paths("/api/products/%d", 40),
		Full: load(20, 10*time.Second, 5), Quick: load(20, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{
				Means: "seconds in the component log per request", Of: Sum, Metric: catalog.HTTPServerComponentSeconds, Match: component(catalog.Log),
				Before: AtLeast(0.5), After: AtMost(0.001),
			},
			{
				Means: "seconds in the component db per request", Of: Sum, Metric: catalog.HTTPServerComponentSeconds, Match: component(catalog.DB),
				Before: AtLeast(0.01), After: AtLeast(0.01),
			},
		},
		Alert:       "LatencyBudgetBurnFast",
		Improvement: Improvement{MeanRatio: AtMost(0.2), P99Ratio: AtMost(0.5)},
	}
}

func cpuProfile() Spec {
	return Spec{
		Name: "cpu-profile", Title: "The flame graph names the function that burns the processor",
		Assumption: "Tax is complicated, so calculateTax must be what is slow.",
		Variants: []Variant{
			{Before, "processPayment derives the signing key for each payment: 40 % of the processor time"},
			{After, "the key is derived once"},
		},
		Route: "/api/payments/:id", Requests: paths("/api/payments/%d", 50),
		Full: load(50, 10*time.Second, 5), Quick: load(50, 3*time.Second, quickRounds),
		Symptoms: []Symptom{{
			Means: "key derivations per request", Of: Fact, Fact: "key_derivations_per_request",
			Before: Exactly(1), After: AtMost(0.2),
		}},
		Improvement: Improvement{MeanRatio: AtMost(0.9), Instead: "processor time per request falls by the 40 % that the profile showed"},
	}
}

func nPlusOne() Spec {
	var requests []Request
	for i := range 40 {
		requests = append(requests, Request{Path: fmt.Sprintf("/api/posts?before=%d", 25+i)})
	}
	return Spec{
		Name: "n-plus-one", Title: "A query in a loop costs a round trip for each row",
		Assumption: "Each query takes a fraction of a millisecond, so twenty of them do not matter.",
		Variants: []Variant{
			{Before, "one query for 20 posts, then one for each author"},
			{After, "one join"},
		},
		Route: "/api/posts", Requests: requests,
		Full: load(40, 10*time.Second, 5), Quick: load(40, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{
				Means: "queries per request", Of: Sum, Metric: catalog.DBClientQueriesPerRequest,
				Before: Exactly(21), After: Exactly(1),
			},
			{
				Means: "N+1 findings per request", Of: Sum, Metric: catalog.DBClientNPlusOne,
				Before: Exactly(1), After: Exactly(0),
			},
		},
		Improvement: Improvement{MeanRatio: AtMost(0.6), P99Ratio: AtMost(0.9)},
	}
}

func index() Spec {
	s := Spec{
		Name: "index", Title: "Without an index the database reads the whole table for twenty rows",
		Assumption: "The database is slow and needs a larger machine.",
		Variants: []Variant{
			{Before, "two million purchases, filtered by user without an index: a sequential scan"},
			{After, "an index on (user_id, created_at)"},
		},
		Route: "/api/users/:id/purchases", Requests: paths("/api/users/%d/purchases", 50),
		Full: load(4, 6*time.Second, 5), Quick: load(10, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{Means: "rows that the query reads", Of: Fact, Fact: "rows_read_per_query", Before: AtLeast(100_000), After: AtMost(200)},
			{Means: "sequential scan (1) or not (0)", Of: Fact, Fact: "seq_scan", Before: Exactly(1), After: Exactly(0)},
			{
				Means: "queries per request", Of: Sum, Metric: catalog.DBClientQueriesPerRequest,
				Before: Exactly(1), After: Exactly(1),
			},
		},
		Improvement: Improvement{MeanRatio: AtMost(0.3), P99Ratio: AtMost(0.5)},
	}
	s.Quick.Rows = 200_000
	return s
}

func indexCost() Spec {
	return Spec{
		Name: "index-cost", Title: "Every index is paid for by every insert",
		Assumption: "Indexes make a database faster, so more of them make it faster still.",
		Variants: []Variant{
			{Before, "inserts 100 rows into a table with ten indexes"},
			{After, "inserts the same rows with the primary key alone"},
		},
		Route: "/api/events", Requests: []Request{{Method: http.MethodPost, Path: "/api/events", Body: "{}"}},
		Full: load(20, 10*time.Second, 5), Quick: load(20, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{Means: "bytes of write-ahead log per row", Of: Fact, Fact: "wal_bytes_per_row", Before: AtLeast(500), After: AtMost(400)},
			{Means: "bytes on disk per row", Of: Fact, Fact: "disk_bytes_per_row", Before: AtLeast(250), After: AtMost(249)},
			{Means: "indexes", Of: Fact, Fact: "indexes", Before: Exactly(10), After: Exactly(1)},
		},
		Improvement: Improvement{MeanRatio: AtMost(0.8), Instead: "write-ahead log and disk per row fall to a fraction; each index that was removed made some query slow"},
	}
}

func sessions() Spec {
	return Spec{
		Name: "sessions", Title: "What an instance keeps to itself dies with it",
		Assumption: "Three instances behind a load balancer survive the loss of one.",
		Variants: []Variant{
			{Before, "three instances, each with its sessions in memory; the gateway sends a session always to the same one"},
			{After, "the same three, with the sessions in Redis"},
		},
		Route: "/api/me", Requests: loggedInUsers(),
		Full: load(100, 10*time.Second, 5), Quick: load(150, 4*time.Second, quickRounds),
		Symptoms: []Symptom{{
			Means: "logins lost of 300", Of: Fact, Fact: "logins_lost", Before: Band{60, 140}, After: Exactly(0),
		}},
		Alert:       "",
		Improvement: Improvement{Instead: "no login is lost when an instance dies; each request pays a round trip to Redis"},
		Event:       "one of the three instances is killed",
	}
}

func loggedInUsers() []Request {
	all := make([]Request, 300)
	for i := range all {
		all[i] = Request{Path: fmt.Sprintf("/api/me?session=%d", i)}
	}
	return all
}

func microservices() Spec {
	requests := make([]Request, 100)
	for i := range requests {
		requests[i] = Request{Method: http.MethodPost, Path: fmt.Sprintf("/api/checkout?user_id=%d", i+1)}
	}
	return Spec{
		Name: "microservices", Title: "A hop between services costs latency, bytes, processor time and a way to fail",
		Assumption: "Splitting a service makes it faster.",
		Variants: []Variant{
			{Before, "authentication, order and payment as function calls in one process and one transaction"},
			{After, "the same three as services of their own, called over HTTP"},
		},
		Route: "/api/checkout", Requests: requests,
		Full: load(30, 10*time.Second, 5), Quick: load(30, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{
				Means: "calls over HTTP per request", Of: Sum, Metric: catalog.HTTPServerComponentCalls,
				Match:  map[catalog.Label]string{catalog.ComponentLabel: string(catalog.HTTP)},
				Before: Exactly(0), After: Band{2.9, 3},
			},
			{Means: "orders that were placed and not paid", Of: Fact, Fact: "orders_without_payment", Before: Exactly(0), After: AtLeast(1)},
		},
		Improvement: Improvement{MeanRatio: AtLeast(1.05), Instead: "nothing that a request could notice: services scale teams"},
		Event:       "the payment service is killed, where it is one",
	}
}

func cache() Spec {
	// One request in twenty raises the price.
	requests := make([]Request, 20)
	for i := range requests {
		requests[i] = Request{Path: "/api/products/1/summary"}
	}
	requests[19] = Request{Method: http.MethodPut, Path: "/api/products/1", Body: "{}"}
	return Spec{
		Name: "cache", Title: "A hot key that expires sends everybody to the database, and a write leaves it stale",
		Assumption: "A cache with a time to live needs no further thought.",
		Variants: []Variant{
			{Before, "reads the cache, on a miss the database; entries expire after a second"},
			{After, "one load at a time (singleflight), expiry with jitter, invalidation on write"},
		},
		Route: "/api/products/:id/summary", Requests: requests,
		Full: load(100, 10*time.Second, 5), Quick: load(100, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{Means: "most loads of the same key at once", Of: Fact, Fact: "loads_at_once_max", Before: AtLeast(3), After: AtMost(2)},
			{Means: "reads that were older than a confirmed write", Of: Fact, Fact: "stale_reads", Before: AtLeast(1), After: Exactly(0)},
		},
		Improvement: Improvement{Instead: "the database is asked once where it was asked by everybody, and no read is older than a confirmed write; writes pay for the invalidation"},
	}
}
