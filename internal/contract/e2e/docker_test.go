package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
)

// dockerProject keeps the containers and volumes of these tests apart from those
// of a lab that somebody works with.
const dockerProject = "plumbline-e2e"

// dockerBefore are the questions that only containers are asked.
func dockerBefore() []step {
	return []step{
		{"every port is published on loopback only", publishesOnLoopbackOnly},
		{"every container is confined", containersAreConfined},
	}
}

// dockerAfter come last: they stop what runs.
func dockerAfter() []step {
	return []step{
		{"a component that hangs is red, and green when it goes on", hangingComponentsAreRed},
		{"a component that dies is named", deadComponentIsNamed},
		{"up starts what has died and leaves the rest alone", upStartsWhatHasDied},
		{"down leaves no container and no network, and keeps the data", downLeavesNoContainer},
		{"purge leaves no volume", purgeLeavesNoVolume},
	}
}

// docker runs a command of the engine and returns the words that it prints.
func docker(t *testing.T, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", args[0], err, stderr.String())
	}
	return strings.Fields(string(output))
}

// ours filters what belongs to the lab.
const ours = "label=com.docker.compose.project=" + dockerProject

// inspected is what the engine says of one container.
type inspected struct {
	ID     string `json:"Id"`
	Name   string
	State  struct{ Status string }
	Config struct {
		User   string
		Labels map[string]string
	}
	HostConfig struct {
		ReadonlyRootfs, Privileged bool
		Memory                     int64
		CapDrop, SecurityOpt       []string
	}
	NetworkSettings struct {
		Ports map[string][]struct {
			HostIP string `json:"HostIp"`
		}
	}
}

func (c inspected) service() string { return c.Config.Labels["com.docker.compose.service"] }

// containers inspects all containers of the lab.
func containers(t *testing.T) []inspected {
	t.Helper()
	ids := docker(t, "ps", "--all", "--quiet", "--filter", ours)
	output, err := exec.CommandContext(t.Context(), "docker", append([]string{"inspect"}, ids...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []inspected
	if err := json.Unmarshal(output, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != len(the.status.Components) {
		t.Fatalf("%d containers, but status told of %d", len(list), len(the.status.Components))
	}
	return list
}

func publishesOnLoopbackOnly(t *testing.T) {
	published := 0
	for _, c := range containers(t) {
		for port, bindings := range c.NetworkSettings.Ports {
			for _, b := range bindings {
				published++
				if b.HostIP != "127.0.0.1" {
					t.Errorf("%s publishes %s on %q", c.service(), port, b.HostIP)
				}
			}
		}
	}
	if published < 20 {
		t.Errorf("only %d ports are published", published)
	}
	sockets, err := listening()
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range sockets {
		for _, p := range the.config.Ports.List() {
			if socket.port == p.Number && !socket.ip.IsLoopback() {
				t.Errorf("%s listens on %s:%d", p.Component, socket.ip, socket.port)
			}
		}
	}
}

func containersAreConfined(t *testing.T) {
	for _, c := range containers(t) {
		h := c.HostConfig
		if c.Config.User == "" || strings.HasPrefix(c.Config.User, "0") || !h.ReadonlyRootfs || h.Privileged ||
			h.Memory <= 0 || !slices.Equal(h.CapDrop, []string{"ALL"}) || !slices.Contains(h.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s runs as %q with %+v", c.service(), c.Config.User, h)
		}
	}
}

// unwell asks for the lab's status until it names exactly these components.
func unwell(t *testing.T, limit time.Duration, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, limit, func(ctx context.Context) error {
		status, err := lab.CheckStatus(ctx, the.config)
		if err != nil {
			return err
		}
		var got []string
		for _, c := range status.Components {
			if c.Condition != lab.ConditionUp && c.Condition != lab.ConditionDone {
				got = append(got, c.Name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || (status.Err() == nil) != (len(want) == 0) {
			return fmt.Errorf("not well are %q (%v), want %q", got, status.Err(), want)
		}
		return nil
	})
}

// running lists the ids and services of what runs.
func running(t *testing.T) (ids, services []string) {
	t.Helper()
	for _, c := range containers(t) {
		if c.State.Status == "running" {
			ids, services = append(ids, c.ID), append(services, c.service())
		}
	}
	return ids, services
}

// hangingComponentsAreRed stops every process without ending it: no healthcheck
// may call that healthy.
func hangingComponentsAreRed(t *testing.T) {
	ids, services := running(t)
	docker(t, append([]string{"kill", "--signal", "STOP"}, ids...)...)
	unwell(t, time.Minute, services...)
	docker(t, append([]string{"kill", "--signal", "CONT"}, ids...)...)
	unwell(t, time.Minute)
}

// victims are one store and one service that nothing else's health needs.
var victims = []string{"email", "pyroscope"}

func deadComponentIsNamed(t *testing.T) {
	for _, c := range containers(t) {
		if slices.Contains(victims, c.service()) {
			docker(t, "kill", c.ID)
		}
	}
	unwell(t, time.Minute, victims...)
}

func upStartsWhatHasDied(t *testing.T) {
	before := map[string]string{}
	for _, c := range containers(t) {
		before[c.service()] = c.ID
	}
	var out bytes.Buffer
	status, err := lab.Up(t.Context(), the.config, &out)
	if err != nil || status.Err() != nil {
		t.Fatalf("%v, %v\n%s", err, status.Err(), out.String())
	}
	for _, c := range containers(t) {
		if before[c.service()] != c.ID {
			t.Errorf("%s has another container", c.service())
		}
	}
}

// left lists the containers and networks of the lab, and its volumes.
func left(t *testing.T) (things, volumes []string) {
	t.Helper()
	things = append(docker(t, "ps", "--all", "--quiet", "--filter", ours), docker(t, "network", "ls", "--quiet", "--filter", ours)...)
	return things, docker(t, "volume", "ls", "--quiet", "--filter", ours)
}

// unnamed counts the volumes without a name of the whole engine: theirs is a
// hash of 64 digits.
func unnamed() (int, error) {
	output, err := exec.Command("docker", "volume", "ls", "--quiet").Output()
	if err != nil {
		return 0, fmt.Errorf("list volumes: %w", err)
	}
	names := strings.Fields(string(output))
	return len(slices.DeleteFunc(names, func(name string) bool { return len(name) != 64 })), nil
}

func downLeavesNoContainer(t *testing.T) {
	var out bytes.Buffer
	if err := lab.Down(t.Context(), the.config, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	things, volumes := left(t)
	if len(things) > 0 {
		t.Errorf("left are %q", things)
	}
	if len(volumes) < 5 {
		t.Errorf("of the data only %q is left", volumes)
	}
	status, err := lab.CheckStatus(t.Context(), the.config)
	if err != nil || status.Running {
		t.Errorf("status after down: running %v, %v", status.Running, err)
	}
	if now, err := unnamed(); err != nil || now > the.unnamed {
		t.Errorf("%d volumes without a name, %v; before up there were %d", now, err, the.unnamed)
	}
}

func purgeLeavesNoVolume(t *testing.T) {
	purge := the.config
	purge.Purge = true
	var out bytes.Buffer
	if err := lab.Down(t.Context(), purge, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if things, volumes := left(t); len(things)+len(volumes) > 0 {
		t.Errorf("left are %q %q", things, volumes)
	}
}
