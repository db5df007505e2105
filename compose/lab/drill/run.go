package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
)

// What the lab of the drills is like: times are a hundredth of the real ones, so
// five minutes are three seconds, and Prometheus scrapes every second. A request
// is slow after a second, so that a busy machine alone makes none slow. Guards
// against low traffic are low, because windows of seconds hold few events.
const (
	loadRate       = 30
	scrapeInterval = time.Second
)

// ruleFlags are the options of alerts/cmd/gen that go with it.
func ruleFlags() []string {
	return []string{"--form", "prometheus", "--flavor", "native", "--time-scale", "0.01", "--scrape-interval", scrapeInterval.String(),
		"--latency-objective", "1s", "--min-bad-requests", "3", "--min-requests", "3"}
}

// How long things may take.
const (
	lookEvery  = 250 * time.Millisecond
	quietFor   = 10 * time.Second
	quietLimit = 3 * time.Minute
	fireLimit  = 2 * time.Minute
	endLimit   = 2 * time.Minute
	// settle is for how long a fault stays after its alerts have fired, so that
	// others that follow from it show.
	settle = 5 * time.Second
	// lingerLimit is how long alerts over long windows may last after the last
	// drill: the longest that ends an alert, six hours, is 216 s here.
	lingerLimit = 8 * time.Minute
)

// Options say what to drill.
type Options struct {
	// Config is the lab's: Root and Cache are used, everything else is the
	// drill's own.
	Config lab.Config
	// Only are names of drills, or parts of them. None does all.
	Only []string
	// Out is told how it goes.
	Out io.Writer
}

// Run starts a lab, does the drills, and takes the lab down with everything that
// it has written. The report is there as far as the run came; the error is of
// the lab. Whether every alert did what it should is for [Report.Err] to say.
func Run(ctx context.Context, o Options) (report Report, err error) {
	home, err := os.MkdirTemp("", "plumbline-drill-")
	if err != nil {
		return report, fmt.Errorf("make a folder for the lab: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	b, err := prepare(ctx, o.Config, home)
	if err != nil {
		return report, err
	}
	defer func() {
		purge := b.config
		purge.Purge = true
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), purge, o.Out))
	}()
	status, err := lab.Up(ctx, b.config, o.Out)
	if err != nil {
		return report, err
	}
	b.connect(status)
	return b.drillAll(ctx, o)
}

// prepare writes the rules and configurations of the drill's lab.
func prepare(ctx context.Context, c lab.Config, home string) (bench, error) {
	if err := os.Chmod(home, 0o711); err != nil { // PostgreSQL's user must pass through
		return bench{}, err
	}
	ports, err := lab.FreePorts()
	if err != nil {
		return bench{}, err
	}
	b := bench{alertmanager: filepath.Join(home, "alertmanager.yml"), rules: filepath.Join(home, "prometheus", "native")}
	b.config = lab.Config{
		Root: c.Root, Cache: c.Cache, Home: filepath.Join(home, "lab"), Mode: lab.Native, Ports: ports, LoadRate: loadRate,
		Console: lab.ConsoleOff, Supervisor: c.Supervisor,
		Rules: b.rules, Alertmanager: b.alertmanager, ScrapeInterval: scrapeInterval,
	}
	b.prometheus = filepath.Join(b.config.Home, "run", "prometheus")
	generate := exec.CommandContext(ctx, "go", append([]string{"run", "./alerts/cmd/gen", "--out", home}, ruleFlags()...)...)
	generate.Dir, generate.Env = c.Root, append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
	if said, err := generate.CombinedOutput(); err != nil {
		return bench{}, fmt.Errorf("generate the rules: %w: %s", err, said)
	}
	config, err := os.ReadFile(filepath.Join(c.Root, "compose", "config", "alertmanager", "alertmanager.yml"))
	if err != nil {
		return bench{}, err
	}
	// A notification that fails is tried again after this time.
	fast := strings.Replace(string(config), "group_interval: 30s", "group_interval: 1s", 1)
	if fast == string(config) {
		return bench{}, errors.New("the configuration of Alertmanager has no group_interval of 30s any more")
	}
	return b, os.WriteFile(b.alertmanager, []byte(fast), 0o644)
}

func (b *bench) connect(status lab.Status) {
	base := map[string]string{}
	for _, c := range status.Components {
		base[c.Name] = c.Address
	}
	b.servers = servers{
		client:     &http.Client{},
		prometheus: base["prometheus"], alertmanager: base["alertmanager"], loki: base["loki"], gateway: base["gateway"],
	}
}

// drillAll does one drill after the other, and waits in the end until nothing
// fires any more.
func (b bench) drillAll(ctx context.Context, o Options) (Report, error) {
	var report Report
	fmt.Fprintln(o.Out, "waiting until nothing fires but the deadman")
	if err := b.awaitQuiet(ctx, quietLimit); err != nil {
		return report, err
	}
	// Alerts over days and hours, and those on what was a while ago, come back as
	// long as that holds what earlier drills did.
	echoes := map[Alert]bool{linksBroken(): true}
	for _, d := range All() {
		if len(o.Only) > 0 && !slices.ContainsFunc(o.Only, func(part string) bool { return strings.Contains(d.Name, part) }) {
			continue
		}
		result := b.one(ctx, d, echoes)
		if result.Err != nil && ctx.Err() == nil {
			fmt.Fprintln(o.Out, result)
			result = b.one(ctx, d, echoes)
			result.Again = true
		}
		if d.Slow {
			maps.Copy(echoes, setOf(d.Fires))
		}
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		report.Results = append(report.Results, result)
		fmt.Fprintln(o.Out, result)
	}
	began := time.Now()
	report.Quiet = b.awaitQuiet(ctx, lingerLimit)
	report.QuietAfter = time.Since(began)
	return report, ctx.Err()
}

// awaitQuiet returns when, for a while, nothing has fired but the deadman, which
// has reached Alertmanager.
func (b bench) awaitQuiet(ctx context.Context, limit time.Duration) error {
	deadman := Alert{"Deadman", "heartbeat"}
	since := time.Now()
	return until(ctx, limit, func() error {
		now, err := b.servers.look(ctx)
		if err == nil && !now.known[deadman] {
			err = errors.New("the deadman has not reached Alertmanager")
		}
		if others := names(now.firing, map[Alert]bool{deadman: true}); err == nil && len(others) > 0 {
			err = fmt.Errorf("%s fires", strings.Join(others, ", "))
		}
		if err != nil {
			since = time.Now()
			return err
		}
		if time.Since(since) < quietFor {
			return errors.New("not for long enough")
		}
		return nil
	})
}

// until calls check again and again until it returns nil, and returns its last
// error when the limit has passed.
func until(ctx context.Context, limit time.Duration, check func() error) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for end := time.Now().Add(limit); ; {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %w", limit, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// one does one drill. Echoes of earlier ones are nobody's fault.
func (b bench) one(ctx context.Context, d Drill, echoes map[Alert]bool) Result {
	r := Result{Drill: d, others: map[Alert]bool{}}
	before, err := b.awaitFree(ctx, d)
	if err != nil {
		r.Err = fmt.Errorf("before the fault: %w", err)
		return r
	}
	maps.Copy(before, echoes)
	began := time.Now()
	mend, err := b.bring(ctx, d)
	if err == nil {
		err = b.awaitFiring(ctx, d, before, began, &r)
	}
	mended := time.Now()
	if mendErr := mend(context.WithoutCancel(ctx)); mendErr != nil {
		err = errors.Join(err, fmt.Errorf("mend: %w", mendErr))
	}
	if err == nil && !d.Slow {
		err = b.awaitEnd(ctx, d, before, &r)
		r.Clear = time.Since(mended)
	}
	if unexpected := names(r.others, setOf(d.May)); len(unexpected) > 0 {
		err = errors.Join(err, fmt.Errorf("also fired: %s", strings.Join(unexpected, ", ")))
	}
	r.Err = err
	return r
}

// awaitFree waits until none of the alerts that the drill is about fires, and
// returns what still does: alerts over long windows outlast their drills.
func (b bench) awaitFree(ctx context.Context, d Drill) (before map[Alert]bool, err error) {
	err = until(ctx, lingerLimit, func() error {
		now, err := b.servers.look(ctx)
		if err != nil {
			return err
		}
		for _, a := range d.Fires {
			if now.firing[a] || now.known[a] {
				return fmt.Errorf("%s still fires", a)
			}
		}
		before = now.firing
		return nil
	})
	return before, err
}

// bring brings the fault about. mend is never nil.
func (b bench) bring(ctx context.Context, d Drill) (mend func(context.Context) error, err error) {
	clear := func(ctx context.Context) error {
		if len(d.Faults) == 0 {
			return nil
		}
		return lab.SetFault(ctx, b.config, "clear", io.Discard)
	}
	for _, fault := range d.Faults {
		if err := lab.SetFault(ctx, b.config, fault, io.Discard); err != nil {
			return clear, err
		}
	}
	if d.Tamper == nil {
		return clear, nil
	}
	undo, err := d.Tamper(ctx, b)
	if err != nil {
		return clear, err
	}
	return func(ctx context.Context) error { return errors.Join(undo(ctx), clear(ctx)) }, nil
}

// awaitFiring waits until all alerts of the drill fire and are known to
// Alertmanager, and a little longer for others to show.
func (b bench) awaitFiring(ctx context.Context, d Drill, before map[Alert]bool, began time.Time, r *Result) error {
	err := until(ctx, fireLimit, func() error {
		now, err := b.servers.look(ctx)
		if err != nil {
			return err
		}
		r.note(now, before)
		if missing := missing(d.Fires, now.firing); len(missing) > 0 {
			return fmt.Errorf("%s does not fire", strings.Join(missing, ", "))
		}
		if r.Fire == 0 {
			r.Fire = time.Since(began)
		}
		if missing := missing(d.Fires, now.known); len(missing) > 0 {
			return fmt.Errorf("%s does not reach Alertmanager", strings.Join(missing, ", "))
		}
		r.Reach = time.Since(began)
		return nil
	})
	if err != nil {
		return err
	}
	for end := time.Now().Add(settle); time.Now().Before(end); {
		if now, err := b.servers.look(ctx); err == nil {
			r.note(now, before)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// awaitEnd waits until the alerts of the drill have ended in both servers.
func (b bench) awaitEnd(ctx context.Context, d Drill, before map[Alert]bool, r *Result) error {
	return until(ctx, endLimit, func() error {
		now, err := b.servers.look(ctx)
		if err != nil {
			return err
		}
		r.note(now, before)
		for _, a := range d.Fires {
			if now.firing[a] {
				return fmt.Errorf("%s still fires", a)
			}
			if now.known[a] {
				return fmt.Errorf("%s has ended, and Alertmanager still has it", a)
			}
		}
		return nil
	})
}
