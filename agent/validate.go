package agent

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	v.text("Version", envResource+" (service.version)", c.Version)
	v.text("Environment", envResource+" (deployment.environment.name)", c.Environment)
	v.text("Instance", envResource+" (service.instance.id)", c.Instance)
	for _, key := range slices.Sorted(maps.Keys(c.Attributes)) {
		v.text(fmt.Sprintf("Attributes[%q]", key), envResource, key+c.Attributes[key])
	}
	v.addr("AdminAddr", "OTEL_EXPORTER_PROMETHEUS_HOST and _PORT", c.AdminAddr)
	v.propagators(c.Propagators)
	v.between("Metrics.MaxSeries", "", c.Metrics.MaxSeries, 1, 1_000_000)
	if n := c.Metrics.NPlusOne; n != -1 && n < 2 {
		v.add("Metrics.NPlusOne", "", "%d is out of bounds: use 2 or more, or -1 for no detection", n)
	}
	if c.Replication != nil {
		if err := c.Replication.WithDefaults().Validate(); err != nil {
			v.add("Replication", "", "%v", err)
		}
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
		v.profiles(c.Service, c.Profiles)
	}
	v.saturation(c.Saturation)
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
	case utf8.RuneCountInString(name) > 128:
		v.add(field, variable, "has %d characters; at most 128 are allowed", utf8.RuneCountInString(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		v.add(field, variable, "%q holds control characters", name)
	}
	v.text(field, variable, name)
}

const envResource = "OTEL_RESOURCE_ATTRIBUTES"

// text wants UTF-8: Prometheus refuses labels and OTLP whole batches that are
// not.
func (v *validator) text(field, variable, text string) {
	if !utf8.ValidString(text) {
		v.add(field, variable, "is not UTF-8 text")
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
	v.url(signal+".Endpoint", env+"_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT", e.Endpoint, signal+".Headers ("+env+"_HEADERS)")
	v.duration(signal+".Timeout", env+"_TIMEOUT", e.Timeout, time.Millisecond, 5*time.Minute)
	v.between(signal+".QueueCapacity", "", e.QueueCapacity, 1, 1_000_000)
	v.headers(signal+".Headers", env+"_HEADERS", e.Headers)
	v.pair(signal+".CertFile", env+"_CLIENT_CERTIFICATE and _CLIENT_KEY", e.CertFile, e.KeyFile)
}

func (v *validator) pair(field, variable, cert, key string) {
	if (cert == "") != (key == "") {
		v.add(field, variable, "a client certificate needs both a certificate file and a key file")
	}
}

func (v *validator) profiles(service string, p Profiles) {
	if strings.ContainsFunc(service, func(r rune) bool { return !tagRune(r) && r != '-' && r != '/' }) {
		v.add("Service", "OTEL_SERVICE_NAME", "%q is not a name that Pyroscope takes: use letters, digits and _ . - / only, "+
			"or set Profiles.Disabled", service)
	}
	v.url("Profiles.Address", "PYROSCOPE_SERVER_ADDRESS", p.Address,
		"Profiles.User and Password (PYROSCOPE_BASIC_AUTH_USER and _PASSWORD), or Profiles.Headers")
	if (p.User == "") != (p.Password == "") {
		v.add("Profiles.User", "PYROSCOPE_BASIC_AUTH_USER and _PASSWORD", "basic authentication needs both a user and a password")
	}
	v.duration("Profiles.Interval", "", p.Interval, time.Second, 10*time.Minute)
	v.between("Profiles.MutexFraction", "", p.MutexFraction, -1, 1_000_000)
	v.between("Profiles.BlockRate", "", p.BlockRate, -1, 1_000_000_000)
	v.headers("Profiles.Headers", "", p.Headers)
	v.pair("Profiles.CertFile", "", p.CertFile, p.KeyFile)
	if len(p.Tags) > 20 {
		v.add("Profiles.Tags", "", "has %d tags; at most 20 are allowed, because Pyroscope takes 30 with its own", len(p.Tags))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tags)) {
		if name == "" || strings.HasPrefix(name, "__") || strings.ContainsFunc(name, func(r rune) bool { return !tagRune(r) }) {
			v.add("Profiles.Tags", "", "%q is not a name of a tag: use letters, digits, _ and . only, and no __ in front", name)
		}
		v.text(fmt.Sprintf("Profiles.Tags[%q]", name), "", p.Tags[name])
	}
}

// tagRune reports whether Pyroscope takes the character in a name.
func tagRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.'
}

// url checks an address; the message shows it without user and query, which
// may hold secrets. Those have a place of their own: the exporters would leave
// them out, or show them in errors.
func (v *validator) url(field, variable, raw, secrets string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		v.add(field, variable, "%q is not a usable URL: use http:// or https:// with a host", otlp.Redact(raw))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		v.add(field, variable, "%q has a user, a query or a fragment besides (not shown): put credentials into %s", otlp.Redact(raw), secrets)
	}
}

func (v *validator) duration(field, variable string, d, low, high time.Duration) {
	if d < low || d > high {
		v.add(field, variable, "%s is out of bounds: use %s to %s", d, low, high)
	}
}

func (v *validator) headers(field, variable string, headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if name == "" || strings.ContainsFunc(name, notToken) || strings.ContainsFunc(headers[name], notHeaderValue) {
			v.add(field, variable, "header %q is not valid (its value is not shown)", name)
		}
	}
}

// notToken finds what HTTP does not allow in the name of a header, and
// notHeaderValue what it does not allow in a value.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func notHeaderValue(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
