package catalog

// Recorded is a series that a recording rule makes out of other series. It is
// read like a gauge: its value is already a rate, a ratio or a number, and the
// rate of it does not compile.
//
// Its name says level:metric:operation, as Prometheus' own convention has it.
type Recorded struct{ desc Desc }

// Desc returns the description of the recorded series.
func (r Recorded) Desc() Desc { return r.desc }

func recorded(name, help string, labels ...Label) Recorded {
	return Recorded{Desc{Name: name, Help: help, Labels: labels}}
}

// What the service level rules record of every service. "Answered" are the
// requests that did not end in a server error: only they have a latency that
// counts, because an error is a failure however fast it comes.
var (
	ServiceRequests = recorded("service:http_server_requests:rate5m",
		"HTTP server requests per second.", ServiceName, DeploymentEnvironment)
	ServiceErrors = recorded("service:http_server_errors:rate5m",
		"HTTP server requests per second that ended in a server error.", ServiceName, DeploymentEnvironment)
	ServiceAnswered = recorded("service:http_server_answered_requests:rate5m",
		"HTTP server requests per second that did not end in a server error.", ServiceName, DeploymentEnvironment)
	ServiceSlow = recorded("service:http_server_slow_requests:rate5m",
		"Answered HTTP server requests per second that took longer than the latency objective.",
		ServiceName, DeploymentEnvironment)
)

// What the target rules record of every scrape job.
var (
	JobTargets = recorded("job:up:count", "Targets of a scrape job, reachable or not.", Job)
	JobAgents  = recorded("job:plumbline_build_info:count", "Targets of a scrape job that export metrics of the agent.", Job)
)

// What the route rules record of every route of a service.
var (
	RouteAnswered = recorded("service_route:http_server_answered_requests:rate5m",
		"HTTP server requests per second that did not end in a server error.", ServiceName, DeploymentEnvironment, HTTPRoute)
	RouteP99 = recorded("service_route:http_server_request_duration_seconds:p99_rate5m",
		"Duration in seconds that 99 % of the answered HTTP server requests did not exceed.", ServiceName, DeploymentEnvironment, HTTPRoute)
)

// SLOWindow is the length of the past over which a service level is measured,
// as it is spelled in the names of recorded series.
type SLOWindow string

// The windows of the burn-rate alerts, shortest first.
const (
	SLOWindow5m  SLOWindow = "5m"
	SLOWindow30m SLOWindow = "30m"
	SLOWindow1h  SLOWindow = "1h"
	SLOWindow2h  SLOWindow = "2h"
	SLOWindow6h  SLOWindow = "6h"
	SLOWindow1d  SLOWindow = "1d"
	SLOWindow3d  SLOWindow = "3d"
)

// SLOWindows returns every window, shortest first.
func SLOWindows() []SLOWindow {
	return []SLOWindow{
		SLOWindow5m, SLOWindow30m, SLOWindow1h, SLOWindow2h, SLOWindow6h, SLOWindow1d, SLOWindow3d,
	}
}

// ServiceErrorRatio returns the recorded share of a service's requests, 0 to
// 1, that ended in a server error within the window.
func ServiceErrorRatio(w SLOWindow) Recorded {
	return recorded("service:http_server_errors:ratio_rate"+string(w),
		"Share of HTTP server requests that ended in a server error in the last "+string(w)+".",
		ServiceName, DeploymentEnvironment)
}

// ServiceSlowRatio returns the recorded share of a service's answered
// requests, 0 to 1, that took longer than the latency objective within the
// window.
func ServiceSlowRatio(w SLOWindow) Recorded {
	return recorded("service:http_server_slow_requests:ratio_rate"+string(w),
		"Share of answered HTTP server requests that took longer than the latency objective in the last "+string(w)+".",
		ServiceName, DeploymentEnvironment)
}

// AllRecorded returns every recorded series, in the order in which the rules
// record them.
func AllRecorded() []Recorded {
	all := []Recorded{ServiceRequests, ServiceErrors, ServiceAnswered, ServiceSlow}
	for _, w := range SLOWindows() {
		all = append(all, ServiceErrorRatio(w))
	}
	for _, w := range SLOWindows() {
		all = append(all, ServiceSlowRatio(w))
	}
	return append(all, JobTargets, RouteAnswered, RouteP99, JobAgents)
}
