package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the only address the native lab listens on.
const loopback = "127.0.0.1"

// Ports holds every port of the lab. The zero value of a field means the
// default that [Ports.WithDefaults] fills in; each field is moved by the
// environment variable of the same name, as listed by [Ports.List].
type Ports struct {
	Gateway, API, Email, Worker                                int
	GatewayAdmin, APIAdmin, EmailAdmin, WorkerAdmin, LoadAdmin int
	LinksAdmin                                                 int
	Grafana, Console, Prometheus, Alertmanager                 int
	Jaeger, JaegerGRPC, JaegerOTLP, JaegerOTLPGRPC             int
	JaegerZipkin, JaegerHealth, JaegerMetrics                  int
	Loki, LokiGRPC, Pyroscope, PyroscopeGRPC                   int
	Postgres, Replica1, Replica2, Redis                        int
}

// Port is one port of the lab: who listens on it, and what moves it.
type Port struct {
	Variable  string // environment variable that moves it
	Component string // component that listens on it
	Number    int
}

// portRow ties a variable and its default to the field that holds it.
type portRow struct {
	variable  string
	component string
	standard  int
	field     *int
}

// rows is the one table of ports; everything else is derived from it.
func (p *Ports) rows() []portRow {
	return []portRow{
		{"GATEWAY_PORT", "gateway", 8080, &p.Gateway},
		{"API_PORT", "api", 8081, &p.API},
		{"EMAIL_PORT", "email", 8082, &p.Email},
		{"WORKER_PORT", "worker", 8083, &p.Worker},
		{"GATEWAY_ADMIN_PORT", "gateway", 9464, &p.GatewayAdmin},
		{"API_ADMIN_PORT", "api", 9465, &p.APIAdmin},
		{"EMAIL_ADMIN_PORT", "email", 9466, &p.EmailAdmin},
		{"WORKER_ADMIN_PORT", "worker", 9467, &p.WorkerAdmin},
		{"LOAD_ADMIN_PORT", "load", 9468, &p.LoadAdmin},
		{"LINKS_ADMIN_PORT", "links", 9469, &p.LinksAdmin},
		{"GRAFANA_PORT", "grafana", 3000, &p.Grafana},
		{"CONSOLE_PORT", "console", 3001, &p.Console},
		{"PROMETHEUS_PORT", "prometheus", 9090, &p.Prometheus},
		{"ALERTMANAGER_PORT", "alertmanager", 9093, &p.Alertmanager},
		{"JAEGER_PORT", "jaeger", 16686, &p.Jaeger},
		{"JAEGER_GRPC_PORT", "jaeger", 16685, &p.JaegerGRPC},
		{"JAEGER_OTLP_PORT", "jaeger", 4318, &p.JaegerOTLP},
		{"JAEGER_OTLP_GRPC_PORT", "jaeger", 4317, &p.JaegerOTLPGRPC},
		{"JAEGER_ZIPKIN_PORT", "jaeger", 9411, &p.JaegerZipkin},
		{"JAEGER_HEALTH_PORT", "jaeger", 13133, &p.JaegerHealth},
		{"JAEGER_METRICS_PORT", "jaeger", 8888, &p.JaegerMetrics},
		{"LOKI_PORT", "loki", 3100, &p.Loki},
		{"LOKI_GRPC_PORT", "loki", 9096, &p.LokiGRPC},
		{"PYROSCOPE_PORT", "pyroscope", 4040, &p.Pyroscope},
		{"PYROSCOPE_GRPC_PORT", "pyroscope", 9097, &p.PyroscopeGRPC},
		{"POSTGRES_PORT", "postgres", 15432, &p.Postgres},
		{"POSTGRES_REPLICA1_PORT", "replica1", 15433, &p.Replica1},
		{"POSTGRES_REPLICA2_PORT", "replica2", 15434, &p.Replica2},
		{"REDIS_PORT", "redis", 16379, &p.Redis},
	}
}

// WithDefaults returns p with the standard number in every field that is zero.
func (p Ports) WithDefaults() Ports {
	for _, r := range p.rows() {
		if *r.field == 0 {
			*r.field = r.standard
		}
	}
	return p
}

// List returns every port in a fixed order, stores and services mixed.
func (p Ports) List() []Port {
	rows := p.rows()
	list := make([]Port, 0, len(rows))
	for _, r := range rows {
		list = append(list, Port{Variable: r.variable, Component: r.component, Number: *r.field})
	}
	return list
}

// Validate reports every port that is out of range and every pair that
// collides, each by the name of its variable.
func (p Ports) Validate() error {
	var problems []error
	seen := map[int]string{}
	for _, port := range p.List() {
		if port.Number < 1 || port.Number > 65535 {
			problems = append(problems, fmt.Errorf("%s is %d, outside 1..65535", port.Variable, port.Number))
			continue
		}
		if other, taken := seen[port.Number]; taken {
			problems = append(problems, fmt.Errorf("%s and %s are both %d: move one of them", other, port.Variable, port.Number))
			continue
		}
		seen[port.Number] = port.Variable
	}
	return errors.Join(problems...)
}

// portsFromEnv reads the variables that are set, and reports all that are not
// numbers at once. Fields without a variable stay zero.
func portsFromEnv(getenv func(string) string) (Ports, error) {
	var p Ports
	var problems []error
	for _, r := range p.rows() {
		value := getenv(r.variable)
		if value == "" {
			continue
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 || number > 65535 {
			problems = append(problems, fmt.Errorf("%s is %q, want a port number 1..65535", r.variable, value))
			continue
		}
		*r.field = number
	}
	return p, errors.Join(problems...)
}

// Free ports are looked for below the range that Linux hands to outgoing
// connections (from 32768), so that no connection takes one between the look
// and the listen.
const (
	freeFrom = 20000
	freeTo   = 32000
	freeTry  = 4000
)

// FreePorts returns ports that nothing listens on now and that are none of the
// defaults, so that a lab on them can stand beside a developer's own. Another
// process may still take one before the lab does: Up then says which.
func FreePorts() (Ports, error) {
	var p Ports
	used := map[int]bool{}
	for _, r := range p.rows() {
		used[r.standard] = true
	}
	for _, r := range p.rows() {
		number, err := freePort(used)
		if err != nil {
			return Ports{}, fmt.Errorf("find a free port for %s: %w", r.variable, err)
		}
		*r.field = number
	}
	return p, nil
}

// freePort picks one port that can be listened on and marks it used.
func freePort(used map[int]bool) (int, error) {
	for range freeTry {
		number := freeFrom + rand.IntN(freeTo-freeFrom)
		if used[number] {
			continue
		}
		used[number] = true
		if canListen(number) {
			return number, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", freeFrom, freeTo)
}

// canListen reports whether loopback:number can be listened on now. Something
// on the wildcard address counts as taken too.
func canListen(number int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(number)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// local returns loopback:port.
func local(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}
