package scenario

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

func utilization() Spec {
	steps := []float64{0.5, 0.7, 0.8, 0.9, 1, 1.1}
	s := Spec{
		Name: "utilization", Title: "Near its capacity a service gets slow for everybody, and past it for ever",
		Assumption: "At 90 % there are 10 % left.",
		Variants: []Variant{
			{Before, "four connections, a query of 40 ms: a capacity of 100 requests per second; everybody waits for a connection"},
			{After, "the same behind a limiter: four at a time, eight wait for 100 ms at most, the others are turned away at once"},
		},
		Route: "/api/quotes/:id", Requests: paths("/api/quotes/%d", 40),
		Full:  Load{Rate: 100, Arrivals: "poisson", Length: 60 * time.Second, Rounds: 5, Steps: steps, InTime: 250 * time.Millisecond},
		Quick: Load{Rate: 100, Arrivals: "poisson", Length: 15 * time.Second, Rounds: quickRounds, Steps: steps, InTime: 250 * time.Millisecond},
		Symptoms: []Symptom{
			{Means: "most requests that waited at once", Of: Fact, Fact: "requests_waiting_max", Before: AtLeast(20), After: AtMost(16)},
			{
				Means: "waits for a connection per request", Of: Sum, Metric: catalog.DBClientConnectionWaits,
				Match:  map[catalog.Label]string{catalog.Pool: "desks"},
				Before: AtLeast(0.2), After: AtMost(0.05),
			},
			{Means: "requests that were turned away", Of: Fact, Fact: "requests_turned_away", Before: Exactly(0), After: AtLeast(5)},
		},
		Alert: "SaturationHurts",
		Improvement: Improvement{
			P99Ratio: AtMost(0.8),
			Instead:  "past the capacity those who are served are served in time; the others learn at once that they are not",
		},
	}
	return s
}

func replicationLag() Spec {
	var requests []Request
	for user := 1; user <= 50; user++ {
		path := fmt.Sprintf("/api/profiles/%d", user)
		requests = append(requests, Request{Method: http.MethodPut, Path: path, Body: "{}"}, Request{Path: path})
	}
	return Spec{
		Name: "replication-lag", Title: "Who saves and reads from a replica sees what was before",
		Assumption: "Replicas are copies, so it does not matter which server a read goes to.",
		Variants: []Variant{
			{Before, "saves a profile on the primary, and shows it from a replica that is 400 ms behind"},
			{After + "-routing", "reads from the replica when it has replayed what this user wrote, else from the primary"},
			{After + "-cache", "keeps the user's own write for 10 s, and shows that"},
			{After + "-eventual", "shows the old profile, and says that a newer one is on its way"},
		},
		Route: "/api/profiles/:id", Requests: requests,
		Full: load(20, 10*time.Second, 5), Quick: load(20, 3*time.Second, quickRounds),
		Symptoms: []Symptom{{
			Means: "reads older than the user's own write that did not say so", Of: Fact, Fact: "stale_reads_shown_as_current",
			Before: AtLeast(10), After: Exactly(0),
		}},
		Improvement:  Improvement{Instead: "no user is shown less than what the same user saved; it costs reads of the primary, a cache, or a sentence on the page"},
		ReplicaDelay: 400 * time.Millisecond,
	}
}

func async() Spec {
	requests := make([]Request, 50)
	for i := range requests {
		requests[i] = Request{Method: http.MethodPost, Path: fmt.Sprintf("/api/invites?inviter_id=%d", i+1), Body: "{}"}
	}
	return Spec{
		Name: "async", Title: "Who waits for an email to be sent waits for somebody else's server",
		Assumption: "Sending an email is one line of code, so it belongs into the request.",
		Variants: []Variant{
			{Before, "saves the invite, and sends its email while the user waits: the provider takes 300 ms"},
			{After, "saves the invite and enqueues the sending in the same transaction; a worker sends"},
		},
		Route: "/api/invites", Requests: requests,
		Full: load(20, 10*time.Second, 5), Quick: load(20, 3*time.Second, quickRounds),
		Symptoms: []Symptom{
			{
				Means: "seconds in the component http per request", Of: Sum, Metric: catalog.HTTPServerComponentSeconds,
				Match:  map[catalog.Label]string{catalog.ComponentLabel: string(catalog.HTTP)},
				Before: AtLeast(0.3), After: Exactly(0),
			},
			{Means: "invites whose email was not sent", Of: Fact, Fact: "emails_lost", Before: Exactly(0), After: Exactly(0)},
			{Means: "emails that were sent twice", Of: Fact, Fact: "emails_sent_twice", Before: Exactly(0), After: Exactly(0)},
			{Means: "jobs of a killed worker that were tried again", Of: Fact, Fact: "jobs_tried_again", Before: Exactly(0), After: AtLeast(1)},
		},
		Alert:       "LatencyBudgetBurnFast",
		Improvement: Improvement{MeanRatio: AtMost(0.2), P99Ratio: AtMost(0.7), Instead: "the email comes a moment later, once, even if the worker dies"},
		Event:       "the worker is killed in the middle of a job, where there is one, and another is started",
	}
}
