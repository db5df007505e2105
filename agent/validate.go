package agent

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// FieldError is one thing wrong with a [Config].
type FieldError struct {
	// Field is the path of the field, for example "Traces.SampleRatio".
	Field string
	// Variable is the environment variable that sets it, or empty.
	Variable string
	// Problem says what is wrong and what would be right. It never holds the
	// value of a field that may be secret.
	Problem string
}

// Error implements error.
func (e *FieldError) Error() string {
	if e.Variable == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Problem)
	}
	return fmt.Sprintf("%s (%s): %s", e.Field, e.Variable, e.Problem)
}

// Validate reports everything that is wrong, one line per field, or nil. The
// errors are of type [*FieldError], joined by [errors.Join]. Zero fields that
// have a default are not wrong.
func (c Config) Validate() error {
	c = c.WithDefaults()
	v := &validator{}
	v.service(c.Service)
	v.addr("AdminAddr", "OTEL_EXPORTER_PROMETHEUS_HOST and _PORT", c.AdminAddr)
	v.propagators(c.Propagators)
	v.between("Metrics.MaxSeries", "", c.Metrics.MaxSeries, 1, 1_000_000)
	if n := c.Metrics.NPlusOne; n != -1 && n < 2 {
		v.add("Metrics.NPlusOne", "", "%d is out of bounds: use 2 or more, or -1 for no detection", n)
	}
	if !c.Traces.Disabled {
		v.exporter("Traces", c.Traces.Exporter)
		if r := c.Traces.SampleRatio; r != -1 && !(r >= 0 && r <= 1) { // also NaN
			v.add("Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", "%v is not a ratio: use 0 to 1, or -1 for none", r)
		}
	}
	if !c.Traces.Disabled {
		v.between("Traces.Keep", "", c.Traces.Keep, -1, 1_000_000)
	}
	if !c.Logs.Disabled {
		v.exporter("Logs", c.Logs.Exporter)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Logs.Level) {
		v.add("Logs.Level", "OTEL_LOG_LEVEL", "%q is not a level: use debug, info, warn or error", c.Logs.Level)
	}
	if !c.Profiles.Disabled {
		v.profiles(c.Profiles)
	}
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) add(field, variable, format string, args ...any) {
	v.errs = append(v.errs, &FieldError{field, variable, fmt.Sprintf(format, args...)})
}

func (v *validator) service(name string) {
	const field, variable = "Service", "OTEL_SERVICE_NAME"
	switch {
	case name == "":
		v.add(field, variable, "is required: the name of the service, the same in all its signals")
	case len(name) > 128:
		v.add(field, variable, "has %d characters; at most 128 are allowed", len(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		v.add(field, variable, "%q holds control characters", name)
	}
}

func (v *validator) addr(field, variable, addr string) {
	if addr == Off {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		var n int
		if n, err = strconv.Atoi(port); err == nil && n >= 0 && n <= 65535 {
			return
		}
	}
	v.add(field, variable, "%q is not an address: use host:port with a port of 0 to 65535, or %q", addr, Off)
}

func (v *validator) propagators(names []string) {
	known := knownPropagators()
	for _, name := range names {
		if !slices.Contains(known, name) {
			v.add("Propagators", "OTEL_PROPAGATORS", "%q is not known: use %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) > 1 && slices.Contains(names, "none") {
		v.add("Propagators", "OTEL_PROPAGATORS", "\"none\" stands alone")
	}
}

func (v *validator) between(field, variable string, n, low, high int) {
	if n < low || n > high {
		v.add(field, variable, "%d is out of bounds: use %d to %d", n, low, high)
	}
}

func (v *validator) exporter(signal string, e Exporter) {
	env := "OTEL_EXPORTER_OTLP_" + strings.ToUpper(signal)
	v.url(signal+".Endpoint", env+"_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT", e.Endpoint)
	v.duration(signal+".Timeout", env+"_TIMEOUT", e.Timeout, time.Millisecond, 5*time.Minute)
	v.between(signal+".QueueCapacity", "", e.QueueCapacity, 1, 1_000_000)
	v.headers(signal+".Headers", env+"_HEADERS", e.Headers)
	if (e.CertFile == "") != (e.KeyFile == "") {
		v.add(signal+".CertFile", env+"_CLIENT_CERTIFICATE and _CLIENT_KEY",
			"a client certificate needs both a certificate file and a key file")
	}
}

func (v *validator) profiles(p Profiles) {
	v.url("Profiles.Address", "PYROSCOPE_SERVER_ADDRESS", p.Address)
	v.duration("Profiles.Interval", "", p.Interval, time.Second, 10*time.Minute)
	v.between("Profiles.MutexFraction", "", p.MutexFraction, -1, 1_000_000)
	v.between("Profiles.BlockRate", "", p.BlockRate, -1, 1_000_000_000)
	v.headers("Profiles.Headers", "", p.Headers)
	if len(p.Tags) > 20 {
		v.add("Profiles.Tags", "", "has %d tags; at most 20 are allowed, because Pyroscope takes 30 with its own", len(p.Tags))
	}
}

// url checks an address; the message shows it without user and query, which
// may hold secrets.
func (v *validator) url(field, variable, raw string) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		v.add(field, variable, "%q is not a usable URL: use http:// or https:// with a host", otlp.Redact(raw))
	}
}

func (v *validator) duration(field, variable string, d, low, high time.Duration) {
	if d < low || d > high {
		v.add(field, variable, "%s is out of bounds: use %s to %s", d, low, high)
	}
}

func (v *validator) headers(field, variable string, headers map[string]string) {
	for name, value := range headers {
		if name == "" || strings.ContainsAny(name, " \t\r\n:") || strings.ContainsAny(value, "\r\n") {
			v.add(field, variable, "header %q is not valid (its value is not shown)", name)
		}
	}
}
