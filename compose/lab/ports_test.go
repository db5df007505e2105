package lab

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// getenvOf returns a getenv that knows only these variables.
func getenvOf(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestDefaultPortsDifferFromEachOther(t *testing.T) {
	t.Parallel()
	if err := (Ports{}).WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryPortIsMovedByItsVariable(t *testing.T) {
	t.Parallel()
	for _, port := range (Ports{}).WithDefaults().List() {
		moved, err := portsFromEnv(getenvOf(map[string]string{port.Variable: "12345"}))
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range moved.WithDefaults().List() {
			want := 12345
			if after.Variable != port.Variable {
				want = defaultNumber(t, after.Variable)
			}
			if after.Number != want {
				t.Errorf("with %s=12345, %s is %d, want %d", port.Variable, after.Variable, after.Number, want)
			}
		}
	}
}

func defaultNumber(t *testing.T, variable string) int {
	t.Helper()
	for _, port := range (Ports{}).WithDefaults().List() {
		if port.Variable == variable {
			return port.Number
		}
	}
	t.Fatalf("no port %s", variable)
	return 0
}

func TestPortProblemsAreAllReportedByVariable(t *testing.T) {
	t.Parallel()
	_, err := portsFromEnv(getenvOf(map[string]string{"API_PORT": "http", "LOKI_PORT": "70000"}))
	for _, part := range []string{`API_PORT is "http"`, `LOKI_PORT is "70000"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %s", err, part)
		}
	}
	twice := Ports{API: 9090, Email: -1}.WithDefaults().Validate()
	for _, part := range []string{"API_PORT and PROMETHEUS_PORT are both 9090", "EMAIL_PORT is -1"} {
		if twice == nil || !strings.Contains(twice.Error(), part) {
			t.Errorf("error %v lacks %s", twice, part)
		}
	}
}

func TestFreePortsCanBeListenedOnAndAreNoDefaults(t *testing.T) {
	t.Parallel()
	ports, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	if err := ports.Validate(); err != nil {
		t.Error(err)
	}
	defaults := map[int]bool{}
	for _, port := range (Ports{}).WithDefaults().List() {
		defaults[port.Number] = true
	}
	for _, port := range ports.List() {
		if defaults[port.Number] {
			t.Errorf("%s is %d, a default", port.Variable, port.Number)
		}
	}
}

func TestTakenPortsAreAllReportedWithProcessAndVariable(t *testing.T) {
	t.Parallel()
	var ports []Port
	for _, name := range []string{"FIRST_PORT", "SECOND_PORT"} {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, Port{Variable: name, Component: "thing", Number: listener.Addr().(*net.TCPAddr).Port})
	}
	free, err := freePort(map[int]bool{})
	if err != nil {
		t.Fatal(err)
	}
	err = conflicts(append(ports, Port{Variable: "FREE_PORT", Component: "thing", Number: free}))
	if err == nil {
		t.Fatal("no conflict was found")
	}
	for _, port := range ports {
		for _, part := range []string{
			"port " + strconv.Itoa(port.Number) + " (thing)",
			"process " + strconv.Itoa(os.Getpid()) + " (" + commandName(os.Getpid()) + ")",
			"move the lab with " + port.Variable + "=",
		} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error lacks %q:\n%v", part, err)
			}
		}
	}
	if strings.Contains(err.Error(), "FREE_PORT") {
		t.Errorf("a free port is reported:\n%v", err)
	}
	if err := stillListening(ports[:1]); err == nil || !strings.Contains(err.Error(), strconv.Itoa(ports[0].Number)) {
		t.Errorf("after down, a port that is held is reported as %v", err)
	}
}

func TestPortOnTheWildcardAddressIsTaken(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	number := listener.Addr().(*net.TCPAddr).Port
	if err := conflicts([]Port{{Variable: "X_PORT", Component: "x", Number: number}}); err == nil {
		t.Error("no conflict was found")
	}
}
