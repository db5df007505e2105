// Package config reads what a role of sampleapp needs to know, from flags and
// environment variables.
//
// Everything that is wrong is reported at once, each with its name and what
// would be right. Values that may hold a password are never repeated.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The roles of the binary.
const (
	Gateway = "gateway"
	API     = "api"
	Email   = "email"
	Worker  = "worker"
	Load    = "load"
	Links   = "links"
	Migrate = "migrate"
	Redis   = "redis"
	Probe   = "probe"
)

// MaxLoadRate is the highest rate of the load, in requests per second.
const MaxLoadRate = 5000

// Roles returns every role, in the order of the help text.
func Roles() []string {
	return []string{Gateway, API, Email, Worker, Load, Links, Migrate, Redis, Probe}
}

// Config is what a role needs. Fields that the role does not use stay empty.
type Config struct {
	// Role is one of [Roles].
	Role string
	// Listen is the host and port of the role's HTTP server. Port 0 takes a
	// free one.
	Listen string
	// AdminAddr is where the agent serves metrics when its own environment
	// variables name no address: a port of its own per role, so that all roles
	// run on one machine without being told. Empty for roles without an agent.
	AdminAddr string
	// DatabaseURL is the connection string of PostgreSQL; it holds a password.
	DatabaseURL string
	// Replicas are read replicas of that database. None reads everything from
	// the primary.
	Replicas []Replica
	// RedisAddr is the host and port of Redis, RedisPassword its password,
	// which may be empty.
	RedisAddr, RedisPassword string
	// APIURL, EmailURL and GatewayURL are the base URLs of other roles.
	APIURL, EmailURL, GatewayURL *url.URL
	// Limit is how many requests the api serves at a time before it sheds load;
	// 0 is any number.
	Limit int
	// Faults is a file that says how to misbehave, for drills. Empty is no way.
	Faults string
	// LoadRate is how many requests per second the load sends.
	LoadRate float64
	// PrometheusURL, JaegerURL, LokiURL and PyroscopeURL are the base URLs of the
	// stores.
	PrometheusURL, JaegerURL, LokiURL, PyroscopeURL *url.URL
	// ProbeURL is what the probe asks.
	ProbeURL string
}

// Replica is one read replica.
type Replica struct {
	// Name is what the primary calls it: its cluster_name.
	Name string
	// URL is its connection string; it holds a password.
	URL string
}

// setting is one value: its flag, its environment variable and its default.
type setting struct {
	flag, env, otherwise, help string
	roles                      []string // that read it
	set                        func(*Config, string) error
}

func settings() []setting {
	return []setting{
		{"listen", "LISTEN_ADDR", "", "host:port of the role's HTTP server", []string{Gateway, API, Email, Worker},
			func(c *Config, v string) error { return hostPort(&c.Listen, v) }},
		// No flag: other users of the machine can read a command line.
		{"", "DATABASE_URL", "", "PostgreSQL, for example postgres://user:password@127.0.0.1:15432/shop", []string{API, Email, Worker, Migrate},
			setDatabaseURL},
		{"", "DATABASE_REPLICAS", "", "read replicas, as name=postgres://... separated by commas", []string{API}, setReplicas},
		{"redis-addr", "REDIS_ADDR", "127.0.0.1:16379", "host:port of Redis", []string{API, Redis},
			func(c *Config, v string) error { return hostPort(&c.RedisAddr, v) }},
		{"", "REDIS_PASSWORD", "", "password of Redis", []string{API, Redis},
			func(c *Config, v string) error { c.RedisPassword = v; return nil }},
		{"api-url", "API_URL", "http://127.0.0.1:8081", "base URL of the api", []string{Gateway},
			func(c *Config, v string) error { return baseURL(&c.APIURL, v) }},
		{"email-url", "EMAIL_URL", "http://127.0.0.1:8082", "base URL of the email service", []string{Worker},
			func(c *Config, v string) error { return baseURL(&c.EmailURL, v) }},
		{"gateway-url", "GATEWAY_URL", "http://127.0.0.1:8080", "base URL of the gateway", []string{Load},
			func(c *Config, v string) error { return baseURL(&c.GatewayURL, v) }},
		{"limit", "LIMIT_CONCURRENCY", "0", "requests that are served at a time, a few more wait, the others get 429; 0 is no limit", []string{API}, setLimit},
		{"", "FAULTS_FILE", "", "file that says how to misbehave, which the lab writes for drills", []string{API, Worker},
			func(c *Config, v string) error { c.Faults = v; return nil }},
		{"load-rate", "LOAD_RATE", "20", "requests per second", []string{Load}, setLoadRate},
		{"prometheus-url", "PROMETHEUS_URL", "http://127.0.0.1:9090", "base URL of Prometheus", []string{Links},
			func(c *Config, v string) error { return baseURL(&c.PrometheusURL, v) }},
		{"jaeger-url", "JAEGER_URL", "http://127.0.0.1:16686", "base URL of Jaeger", []string{Links},
			func(c *Config, v string) error { return baseURL(&c.JaegerURL, v) }},
		{"loki-url", "LOKI_URL", "http://127.0.0.1:3100", "base URL of Loki", []string{Links},
			func(c *Config, v string) error { return baseURL(&c.LokiURL, v) }},
		{"pyroscope-url", "PYROSCOPE_URL", "http://127.0.0.1:4040", "base URL of Pyroscope", []string{Links},
			func(c *Config, v string) error { return baseURL(&c.PyroscopeURL, v) }},
		{"probe-url", "PROBE_URL", "", "URL that the probe asks, for example http://127.0.0.1:8081/readyz", []string{Probe}, setProbeURL},
	}
}

// ErrHelp says that the help text was asked for, and printed.
var ErrHelp = flag.ErrHelp

// Parse reads the configuration. Flags win over the environment, which wins
// over the defaults. The help text goes to help.
func Parse(args []string, getenv func(string) string, help io.Writer) (Config, error) {
	flags := flag.NewFlagSet("sampleapp", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are returned, and printed once
	role := flags.String("role", "", "what to run: "+strings.Join(Roles(), ", "))
	values := make(map[string]*string)
	for _, s := range settings() {
		if s.flag != "" {
			values[s.flag] = flags.String(s.flag, "", fmt.Sprintf("%s (%s; roles %s)", s.help, s.env, strings.Join(s.roles, ", ")))
		}
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, ErrHelp) {
			printHelp(flags, help)
		}
		return Config{}, err
	}
	if flags.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q: everything is a flag", flags.Arg(0))
	}
	if !slices.Contains(Roles(), *role) {
		return Config{}, fmt.Errorf("--role is %q: want one of %s", *role, strings.Join(Roles(), ", "))
	}
	c := Config{Role: *role}
	c.Listen, c.AdminAddr = defaultAddrs(*role)
	var errs []error
	for _, s := range settings() {
		if !slices.Contains(s.roles, *role) {
			continue
		}
		value, name := "", s.env
		if s.flag != "" && *values[s.flag] != "" {
			value, name = *values[s.flag], "--"+s.flag
		} else if value = getenv(s.env); value == "" {
			value = s.otherwise
		}
		if value == "" && s.env == "LISTEN_ADDR" {
			continue // the role's default stays
		}
		if err := s.set(&c, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return c, errors.Join(errs...)
}

// printHelp prints the flags, and the variables that have none.
func printHelp(flags *flag.FlagSet, help io.Writer) {
	fmt.Fprintln(help, "Usage: sampleapp --role ROLE [flags]")
	flags.SetOutput(help)
	flags.PrintDefaults()
	fmt.Fprintln(help, "Environment variables without a flag:")
	for _, s := range settings() {
		if s.flag == "" {
			fmt.Fprintf(help, "  %s\n    \t%s (roles %s)\n", s.env, s.help, strings.Join(s.roles, ", "))
		}
	}
}

// defaultAddrs returns where a role listens, and its agent.
func defaultAddrs(role string) (listen, admin string) {
	switch role {
	case Gateway:
		return "127.0.0.1:8080", "127.0.0.1:9464"
	case API:
		return "127.0.0.1:8081", "127.0.0.1:9465"
	case Email:
		return "127.0.0.1:8082", "127.0.0.1:9466"
	case Worker:
		return "127.0.0.1:8083", "127.0.0.1:9467"
	case Load:
		return "", "127.0.0.1:9468"
	case Links:
		return "", "127.0.0.1:9469"
	default:
		return "", ""
	}
}

// maxLimit is far above what one process can use.
const maxLimit = 10_000

func setLimit(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > maxLimit {
		return fmt.Errorf("%q is not a limit: want 1 to %d requests at a time, or 0 for none", v, maxLimit)
	}
	c.Limit = n
	return nil
}

func hostPort(dst *string, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port with a port of 0 to 65535", v)
	}
	*dst = v
	return nil
}

func baseURL(dst **url.URL, v string) error {
	u, err := url.Parse(strings.TrimRight(v, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return errors.New("want a URL such as http://127.0.0.1:8081, without user and query")
	}
	*dst = u
	return nil
}

func setDatabaseURL(c *Config, v string) error {
	if v == "" {
		return errors.New("required, for example postgres://user:password@127.0.0.1:15432/shop")
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return errors.New("want postgres://user:password@host:port/database (the value is not shown)")
	}
	c.DatabaseURL = v
	return nil
}

func setReplicas(c *Config, v string) error {
	if v == "" {
		return nil
	}
	for i, one := range strings.Split(v, ",") {
		name, url, found := strings.Cut(strings.TrimSpace(one), "=")
		replica := Config{}
		if !found || name == "" || setDatabaseURL(&replica, url) != nil {
			return fmt.Errorf("entry %d: want name=postgres://user:password@host:port/database (the value is not shown)", i+1)
		}
		if slices.ContainsFunc(c.Replicas, func(r Replica) bool { return r.Name == name }) {
			return fmt.Errorf("entry %d has the name of another one", i+1)
		}
		c.Replicas = append(c.Replicas, Replica{Name: name, URL: replica.DatabaseURL})
	}
	return nil
}

func setLoadRate(c *Config, v string) error {
	rate, err := strconv.ParseFloat(v, 64)
	if err != nil || !(rate > 0 && rate <= MaxLoadRate) { // not the inverse: NaN is no rate
		return fmt.Errorf("%q is not a rate: want more than 0 and at most %d requests per second", v, MaxLoadRate)
	}
	c.LoadRate = rate
	return nil
}

func setProbeURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("required, for example http://127.0.0.1:8081/readyz")
	}
	c.ProbeURL = v
	return nil
}
