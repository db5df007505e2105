package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
)

// tamper breaks the stack of a lab and returns what mends it. What it needs to do
// again and again it does until the context ends.
type tamper func(ctx context.Context, b bench) (mend func(context.Context) error, err error)

// bench is what tampering works on.
type bench struct {
	servers servers
	config  lab.Config
	// prometheus is the folder with Prometheus' configuration, rules that with
	// the rule files, alertmanager the configuration of Alertmanager.
	prometheus, rules, alertmanager string
}

// edit replaces a file by what change makes of it, has a server read it, and
// returns how to undo both. A server that refuses what it reads is no error where
// that is what the drill wants.
func (b bench) edit(ctx context.Context, path string, change func(string) (string, error), reload string, refused bool) (func(context.Context) error, error) {
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	after, err := change(string(before))
	if err != nil {
		return nil, err
	}
	if after == string(before) {
		return nil, fmt.Errorf("%s stays as it is: the drill must break something else", path)
	}
	mend := func(ctx context.Context) error { return b.put(ctx, path, string(before), reload) }
	err = b.put(ctx, path, after, reload)
	if refused && err == nil {
		err = errors.New("it was taken")
	} else if refused {
		err = nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("change %s: %w", filepath.Base(path), err), mend(ctx))
	}
	return mend, nil
}

// put writes a file and has a server read it, at the address in reload; targets
// need none, Prometheus watches them.
func (b bench) put(ctx context.Context, path, content, reload string) error {
	// In one step: Prometheus reads targets as soon as they change.
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o644); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	if reload == "" {
		return nil
	}
	_, err := b.servers.send(ctx, http.MethodPost, reload, "")
	return err
}

func (b bench) reloadPrometheus() string { return b.servers.prometheus + "/-/reload" }

// targets changes the groups of targets in one of the files.
func (b bench) targets(ctx context.Context, file string, change func([]map[string]any) []map[string]any) (func(context.Context) error, error) {
	return b.edit(ctx, filepath.Join(b.prometheus, "targets", file), func(text string) (string, error) {
		var groups []map[string]any
		if err := json.Unmarshal([]byte(text), &groups); err != nil {
			return "", err
		}
		before, err := json.Marshal(groups)
		if err != nil {
			return "", err
		}
		after, err := json.Marshal(change(groups))
		if string(after) == string(before) {
			return text, err // and not the same in other words
		}
		return string(after), err
	}, "", false)
}

func jobOf(group map[string]any) string {
	labels, _ := group["labels"].(map[string]any)
	job, _ := labels["job"].(string)
	return job
}

// unlist takes a job out of a file of targets.
func unlist(file, job string) tamper {
	return func(ctx context.Context, b bench) (func(context.Context) error, error) {
		return b.targets(ctx, file, func(groups []map[string]any) []map[string]any {
			return slices.DeleteFunc(groups, func(g map[string]any) bool { return jobOf(g) == job })
		})
	}
}

// mistake has Prometheus itself answer for a service.
func mistake(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.targets(ctx, "services.json", func(groups []map[string]any) []map[string]any {
		for _, g := range groups {
			if jobOf(g) == "email" {
				g["targets"] = []string{strings.TrimPrefix(b.servers.prometheus, "http://")}
			}
		}
		return groups
	})
}

// forgetHistograms has Prometheus store classic histograms only, which the rules
// of the lab do not read.
func forgetHistograms(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.edit(ctx, filepath.Join(b.prometheus, "prometheus.yml"), replaced("scrape_native_histograms: true", "scrape_native_histograms: false"), b.reloadPrometheus(), false)
}

func brokenConfig(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.edit(ctx, filepath.Join(b.prometheus, "prometheus.yml"), replaced("scrape_configs:", "scrape_config:"), b.reloadPrometheus(), true)
}

func replaced(old, with string) func(string) (string, error) {
	return func(text string) (string, error) { return strings.Replace(text, old, with, 1), nil }
}

// rule adds a group with one rule, and takes it away again.
func (b bench) rule(ctx context.Context, interval, expr string) (func(context.Context) error, error) {
	path := filepath.Join(b.rules, "drill.yml")
	text := fmt.Sprintf("groups:\n- name: drill\n  interval: %s\n  rules:\n  - record: drill\n    expr: %s\n", interval, expr)
	mend := func(ctx context.Context) error {
		err := os.Remove(path)
		_, reloadErr := b.servers.send(ctx, http.MethodPost, b.reloadPrometheus(), "")
		return errors.Join(err, reloadErr)
	}
	if err := b.put(ctx, path, text, b.reloadPrometheus()); err != nil {
		return nil, errors.Join(err, mend(ctx))
	}
	return mend, nil
}

// failingRule matches many series with many, which parses.
func failingRule(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.rule(ctx, "1s", "up * on () up")
}

// hastyRule has an interval that no evaluation can keep.
func hastyRule(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.rule(ctx, "1ms", "up")
}

// deadAlertmanager adds one that nobody listens for, so that what fires still
// reaches the other.
func deadAlertmanager(ctx context.Context, b bench) (func(context.Context) error, error) {
	dead, err := closedPort()
	if err != nil {
		return nil, err
	}
	return b.targets(ctx, "alertmanagers.json", func(groups []map[string]any) []map[string]any {
		return append(groups, map[string]any{"targets": []string{dead}})
	})
}

// closedPort is an address of this machine that nobody listens on.
func closedPort() (string, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// refusingReceiver sends the deadman to an address of the gateway that does not
// exist: it answers 404, which no retry changes.
func refusingReceiver(ctx context.Context, b bench) (func(context.Context) error, error) {
	return b.edit(ctx, b.alertmanager, replaced("  - name: deadman\n",
		"  - name: deadman\n    webhook_configs:\n      - url: "+b.servers.gateway+"/no-such-receiver\n"), b.servers.alertmanager+"/-/reload", false)
}

// oldLines sends Loki lines of last month, again and again.
func oldLines(ctx context.Context, b bench) (func(context.Context) error, error) {
	send := func() error {
		when := strconv.FormatInt(time.Now().AddDate(0, -1, 0).UnixNano(), 10)
		lines := strings.TrimSuffix(strings.Repeat(`["`+when+`","a line of last month"],`, 5), ",")
		_, err := b.servers.send(ctx, http.MethodPost, b.servers.loki+"/loki/api/v1/push",
			`{"streams": [{"stream": {"service_name": "drill"}, "values": [`+lines+`]}]}`)
		if err == nil {
			return errors.New("Loki takes lines of last month")
		}
		if !regexp.MustCompile(`answers 4`).MatchString(err.Error()) {
			return err
		}
		return nil
	}
	if err := send(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_ = send() // one that is lost is made up for by the next
			}
		}
	}()
	return func(context.Context) error {
		cancel()
		<-done
		return nil
	}, nil
}

// fillLog writes so much to the primary's log that the slot of a replica that is
// down keeps more than its alert allows. A replica that is back frees it.
func fillLog(ctx context.Context, b bench) (func(context.Context) error, error) {
	const megabytes = 640 // the alert is about 512, and a slot may keep 1024
	return func(context.Context) error { return nil }, lab.FillLog(ctx, b.config, megabytes)
}
