package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults of [Config].
const (
	DefaultStopGrace    = 10 * time.Second
	DefaultReadyTimeout = 90 * time.Second
	DefaultLoadRate     = 20
)

// Mode says where the components run.
type Mode string

// The modes. Auto is Docker Compose where an engine answers, else native.
const (
	Auto   Mode = ""
	Native Mode = "native"
	Docker Mode = "docker"
)

// Config says what lab to run and where. Root is required; every other zero
// value means its default.
type Config struct {
	// Root is the checkout that holds compose/, tools/ and sampleapp/.
	Root string
	// Home holds data, logs, passwords and the running lab's state. Two labs
	// with different homes and ports do not know each other. Defaults to
	// /var/lib/plumbline for root, else $XDG_STATE_HOME/plumbline (PLUMBLINE_HOME).
	Home string
	// Cache holds the servers that were built, in Cache/bin. It is shared by
	// all labs. Defaults to the user's cache directory/plumbline (PLUMBLINE_CACHE).
	Cache string
	// Mode forces native or docker. Defaults to Auto (LAB).
	Mode Mode
	// Ports defaults, field by field, to the numbers of [Ports.WithDefaults].
	Ports Ports
	// Only starts the named components and what they need, instead of all (ONLY,
	// separated by commas).
	Only []string
	// LoadRate is the background load in requests per second. Defaults to 20
	// (LOAD_RATE).
	LoadRate int
	// GrafanaHome is an unpacked Grafana. Defaults to whatever `grafana` on PATH
	// belongs to (GRAFANA_HOME).
	GrafanaHome string
	// Console says whether the lab console runs. Defaults to ConsoleAuto (CONSOLE).
	Console ConsoleMode
	// Rules is the folder of the rule files that Prometheus loads. Defaults to the
	// generated ones for native histograms.
	Rules string
	// Alertmanager is the configuration of Alertmanager. Defaults to the lab's own.
	Alertmanager string
	// ScrapeInterval is how often Prometheus asks. Defaults to what its
	// configuration says, which is 5 s.
	ScrapeInterval time.Duration
	// Purge makes Down delete data, logs and passwords too (PURGE=1). In Docker
	// that is the containers' volumes; the passwords stay with the checkout.
	Purge bool
	// StopGrace is how long a component may take to stop before it is killed.
	// Defaults to 10 s.
	StopGrace time.Duration
	// ReadyTimeout is how long a component may take to be ready. Defaults to 90 s.
	ReadyTimeout time.Duration
	// Supervisor is the command that is started, detached, to look after the
	// components: a program that calls [Supervise] when [PlanVariable] is set.
	// Defaults to this program with the argument "supervise".
	Supervisor []string
}

// ConfigFromEnv reads the variables named in [Config] and [Ports] through
// getenv. It reports all bad values at once and looks at nothing else of the
// environment; Root is left empty.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Home:        getenv("PLUMBLINE_HOME"),
		Cache:       getenv("PLUMBLINE_CACHE"),
		Mode:        Mode(getenv("LAB")),
		GrafanaHome: getenv("GRAFANA_HOME"),
		Only:        splitList(getenv("ONLY")),
	}
	var problems []error
	var err error
	if c.Ports, err = portsFromEnv(getenv); err != nil {
		problems = append(problems, err)
	}
	if v := getenv("LOAD_RATE"); v != "" {
		if c.LoadRate, err = strconv.Atoi(v); err != nil || c.LoadRate < 1 {
			problems = append(problems, fmt.Errorf("LOAD_RATE is %q, want requests per second, at least 1", v))
		}
	}
	if c.Console, err = consoleMode(getenv("CONSOLE")); err != nil {
		problems = append(problems, err)
	}
	if v := getenv("PURGE"); v != "" {
		if c.Purge, err = strconv.ParseBool(v); err != nil {
			problems = append(problems, fmt.Errorf("PURGE is %q, want 1 or 0", v))
		}
	}
	if c.Home == "" {
		c.Home = defaultHome(getenv)
	}
	if c.Cache == "" {
		c.Cache = defaultCache(getenv)
	}
	return c, errors.Join(problems...)
}

// defaultHome is the home of a lab that was told none; empty when the
// environment names no home directory.
func defaultHome(getenv func(string) string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/plumbline"
	}
	if state := getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "plumbline")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "plumbline")
	}
	return ""
}

// defaultCache follows os.UserCacheDir, through getenv.
func defaultCache(getenv func(string) string) string {
	if cache := getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "plumbline")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "plumbline")
	}
	return ""
}

// WithDefaults returns c with every optional zero value filled in. Home and
// Cache need the environment and are filled in by [ConfigFromEnv].
func (c Config) WithDefaults() Config {
	c.Ports = c.Ports.WithDefaults()
	if c.LoadRate == 0 {
		c.LoadRate = DefaultLoadRate
	}
	if c.StopGrace == 0 {
		c.StopGrace = DefaultStopGrace
	}
	if c.ReadyTimeout == 0 {
		c.ReadyTimeout = DefaultReadyTimeout
	}
	return c
}

// Validate reports every problem of a configuration with defaults, one line
// for each, naming the field and the variable that sets it.
func (c Config) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !filepath.IsAbs(c.Root) {
		add("Root is %q, want the absolute path of a checkout", c.Root)
	}
	if !filepath.IsAbs(c.Home) {
		add("Home is %q, want an absolute path (PLUMBLINE_HOME)", c.Home)
	}
	if !filepath.IsAbs(c.Cache) {
		add("Cache is %q, want an absolute path (PLUMBLINE_CACHE)", c.Cache)
	}
	if !slices.Contains([]Mode{Auto, Native, Docker}, c.Mode) {
		add("Mode is %q, want native or docker, or nothing (LAB)", c.Mode)
	}
	for _, name := range c.Only {
		if !slices.Contains(Components(), name) {
			add("Only names %q, want some of %s (ONLY)", name, strings.Join(Components(), ", "))
		}
	}
	if c.LoadRate < 1 {
		add("LoadRate is %d, want at least 1 request per second (LOAD_RATE)", c.LoadRate)
	}
	if c.StopGrace <= 0 || c.ReadyTimeout <= 0 {
		add("StopGrace %v and ReadyTimeout %v must be above zero", c.StopGrace, c.ReadyTimeout)
	}
	if c.ScrapeInterval < 0 {
		add("ScrapeInterval is %v, want more than zero", c.ScrapeInterval)
	}
	if err := c.Ports.Validate(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// checked is WithDefaults and Validate in one step, as every command does.
func (c Config) checked() (Config, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("lab configuration: %w", err)
	}
	return c, nil
}

// FindRoot walks up from dir to the checkout, known by its tools/builds.json.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, buildsFile)); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find the checkout: no %s in %s or above it; run the lab inside a checkout of plumbline", buildsFile, start)
		}
	}
}

// splitList splits a comma-separated list and drops what is empty.
func splitList(list string) []string {
	var out []string
	for _, item := range strings.Split(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
