package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigurationComesFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := ConfigFromEnv(getenvOf(map[string]string{
		"PLUMBLINE_HOME": "/h", "PLUMBLINE_CACHE": "/c", "LAB": "native", "PURGE": "1",
		"LOAD_RATE": "5", "ONLY": "postgres, loki,", "LOKI_PORT": "3333", "GRAFANA_HOME": "/g",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Home != "/h" || c.Cache != "/c" || c.Mode != Native || !c.Purge || c.LoadRate != 5 || c.GrafanaHome != "/g" {
		t.Errorf("configuration %+v", c)
	}
	if strings.Join(c.Only, " ") != "postgres loki" || c.Ports.Loki != 3333 {
		t.Errorf("only %q, port of loki %d", c.Only, c.Ports.Loki)
	}
}

func TestDefaultPlaces(t *testing.T) {
	t.Parallel()
	c, err := ConfigFromEnv(getenvOf(map[string]string{"HOME": "/me", "XDG_CACHE_HOME": "/cache"}))
	if err != nil {
		t.Fatal(err)
	}
	home := "/me/.local/state/plumbline"
	if os.Geteuid() == 0 {
		home = "/var/lib/plumbline"
	}
	if c.Home != home || c.Cache != "/cache/plumbline" {
		t.Errorf("home %s, cache %s", c.Home, c.Cache)
	}
}

func TestBadVariablesAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := ConfigFromEnv(getenvOf(map[string]string{"LOAD_RATE": "0", "PURGE": "maybe", "API_PORT": "x"}))
	for _, part := range []string{`LOAD_RATE is "0"`, `PURGE is "maybe"`, `API_PORT is "x"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %s", err, part)
		}
	}
}

func TestBadFieldsAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := Config{Root: "here", Home: "there", Mode: "podman", Only: []string{"oracle"}, LoadRate: -1, StopGrace: -1}.checked()
	for _, part := range []string{"Root is", "PLUMBLINE_HOME", "PLUMBLINE_CACHE", "(LAB)", `"oracle"`, "LOAD_RATE", "StopGrace"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %s", err, part)
		}
	}
}

func TestCheckoutIsFoundFromBelow(t *testing.T) {
	t.Parallel()
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "compose", "lab")); err != nil {
		t.Error(err)
	}
	if _, err := FindRoot(t.TempDir()); err == nil {
		t.Error("a checkout was found where there is none")
	}
}
