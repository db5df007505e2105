package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// event is one line of `docker events --format '{{json .}}'`.
type event struct {
	Action string // start, die, "health_status: healthy", ...
	Actor  struct{ Attributes map[string]string }
	Nanos  int64 `json:"timeNano"`
}

// startTimes computes, from events in the order in which they happened, how
// long each service took from its start until it was healthy or, if it ends by
// itself, until it had succeeded. Lines that it cannot read are left out.
func startTimes(events []byte) map[string]time.Duration {
	began, took := map[string]int64{}, map[string]time.Duration{}
	for line := range bytes.Lines(events) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		name := e.Actor.Attributes["com.docker.compose.service"]
		succeeded := e.Action == "die" && e.Actor.Attributes["exitCode"] == "0"
		switch {
		case e.Action == "start":
			began[name] = e.Nanos
		case succeeded || strings.HasSuffix(e.Action, "health_status: healthy"):
			if began[name] != 0 && took[name] == 0 {
				took[name] = time.Duration(e.Nanos - began[name])
			}
		}
	}
	return took
}

// watch listens to the engine's events about a project until the returned
// function is called, which reports the start times. They are a courtesy of the
// table: an engine that tells nothing leaves the column empty.
func (e engine) watch(ctx context.Context, name string) (stop func() map[string]time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	var events bytes.Buffer
	cmd := e.command(ctx, "events", "--since", strconv.FormatInt(time.Now().Unix(), 10),
		"--filter", "label=com.docker.compose.project="+name, "--filter", "type=container",
		"--filter", "event=start", "--filter", "event=die", "--filter", "event=health_status",
		"--format", "{{json .}}")
	cmd.Stdout = &events
	started := cmd.Start() == nil
	return func() map[string]time.Duration {
		cancel()
		if !started {
			return nil
		}
		_ = cmd.Wait() // it was interrupted
		return startTimes(events.Bytes())
	}
}
