package lab

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// recipe is one entry of tools/builds.json: how one program is built.
type recipe struct {
	Name        string   `json:"name"`
	Dir         string   `json:"dir"`
	Package     string   `json:"package"`
	Version     string   `json:"version"`
	Tags        []string `json:"tags"`
	VersionVars []string `json:"version_vars"`
	Module      string   `json:"module"`

	raw   json.RawMessage // the whole entry, as part of the key
	place int             // in the table
}

// readRecipes reads tools/builds.json.
func readRecipes(root string) ([]recipe, error) {
	var file struct {
		Builds []json.RawMessage `json:"builds"`
	}
	if ok, err := readJSON(filepath.Join(root, buildsFile), &file); err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("read %s: there is none in %s", buildsFile, root))
	}
	recipes := make([]recipe, len(file.Builds))
	for i, raw := range file.Builds {
		if err := json.Unmarshal(raw, &recipes[i]); err != nil {
			return nil, fmt.Errorf("read %s: entry %d: %w", buildsFile, i, err)
		}
		recipes[i].raw, recipes[i].place = raw, i
	}
	return recipes, nil
}

// key changes whenever the recipe, or a version it builds from, does.
func (r recipe) key(root string) (string, error) {
	hash := sha256.New()
	hash.Write(r.raw)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, r.Dir, name))
		if err != nil {
			return "", fmt.Errorf("key of %s: %w", r.Name, err)
		}
		fmt.Fprintf(hash, "\n%s %d\n", name, len(content))
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// inlined are the packages outside its own module that a server works with all
// the time. It is one list for all servers: they share what they compile alike.
var inlined = []string{
	"std",
	"github.com/dgraph-io/...",
	"github.com/golang/snappy/...",
	"github.com/klauspost/compress/...",
	"github.com/parquet-go/...",
	"google.golang.org/protobuf/...",
}

// arguments of `go` that build the recipe into out.
func (r recipe) arguments(out string) []string {
	flags := []string{"-s", "-w"}
	for _, variable := range r.VersionVars {
		flags = append(flags, "-X", variable+"="+r.Version)
	}
	args := []string{
		"build", "-trimpath", "-p", strconv.Itoa(runtime.NumCPU()), "-o", out,
		"-ldflags", strings.Join(flags, " "),
	}
	// What a compiler costs is what the lab's first start costs. The linker's -w
	// drops debugging information; not making it in the first place saves a
	// fifth. A smaller heap to start with saves page faults, of which short runs
	// of many processes have more than anything else. Inlining is a third of the
	// rest, and most of a server is what the lab never calls (other people's
	// clouds and databases): only what a server works with gets it. Of several
	// patterns that match, the last counts.
	const cheap = "-dwarf=false -d=gcstart=32"
	args = append(args, "-gcflags=all="+cheap+" -l")
	for _, pattern := range append([]string{r.Module + "/..."}, inlined...) {
		args = append(args, "-gcflags="+pattern+"="+cheap)
	}
	if len(r.Tags) > 0 {
		args = append(args, "-tags", strings.Join(r.Tags, ","))
	}
	return append(args, r.Package)
}

// Build makes sure that the named programs of tools/builds.json are in
// Cache/bin, and returns their paths in the same order. What is there already,
// built from the same go.mod, go.sum and recipe, costs nothing; anything else
// is built, minutes each the first time, with progress on out. Only one build
// runs in a cache at a time: others wait for it. Cancelling ctx ends the
// compilers too.
func Build(ctx context.Context, c Config, out io.Writer, programs ...string) ([]string, error) {
	recipes, err := readRecipes(c.Root)
	if err != nil {
		return nil, err
	}
	var chosen []recipe
	paths := make([]string, 0, len(programs))
	for _, name := range programs {
		at := slices.IndexFunc(recipes, func(r recipe) bool { return r.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("build %s: %s does not say how", name, buildsFile)
		}
		chosen = append(chosen, recipes[at])
		paths = append(paths, serverBinary(c.Cache, name))
	}
	stale, err := staleRecipes(c, chosen)
	if err != nil || len(stale) == 0 {
		return paths, err
	}
	return paths, buildStale(ctx, c, out, chosen)
}

// buildStale builds, under the cache's lock, what is still stale there.
func buildStale(ctx context.Context, c Config, out io.Writer, chosen []recipe) error {
	if err := os.MkdirAll(filepath.Join(c.Cache, "bin"), 0o755); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	unlock, err := lockCache(ctx, c.Cache, out)
	if err != nil {
		return err
	}
	defer unlock()
	stale, err := staleRecipes(c, chosen) // another lab may have built them meanwhile
	if err != nil {
		return err
	}
	// The table has the dearest first: with the cheapest last, builds that run
	// beside each other end together.
	slices.SortFunc(stale, func(a, b recipe) int { return cmp.Compare(a.place, b.place) })
	return buildEach(ctx, c, &lockedWriter{w: out}, stale)
}

// atOnce is how many builds run at a time, and share the processors. Each
// downloads, loads packages and links on its own; a second one fills those
// gaps: it is the nicer one, because two that run side by side compile what they
// share twice. Each may use all processors, or the last one would leave some idle.
const atOnce = 2

// nicer is by how much each build is nicer than the one before it: beside it,
// it gets about a seventh of the processors.
const nicer = 8

// gapFiller is how nice a build is that shares nothing with the servers'.
const gapFiller = 19

// buildEach builds all recipes and ends at the first error.
func buildEach(ctx context.Context, c Config, out io.Writer, stale []recipe) error {
	builds := make([]func(context.Context) error, len(stale))
	for i, r := range stale {
		title := fmt.Sprintf("%s %s (%d of %d)", r.Name, r.Version, i+1, len(stale))
		builds[i] = func(ctx context.Context) error { return r.build(ctx, c, out, title, nicer*i) }
	}
	return together(ctx, atOnce, builds...)
}

// together runs tasks in their order, at most limit of them at a time. The first
// error ends the others, and is returned when all have ended.
func together(ctx context.Context, limit int, tasks ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, limit)
	var running sync.WaitGroup
	for _, task := range tasks {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := task(ctx); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// lockedWriter lets several builds tell their progress.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// staleRecipes keeps the recipes whose program is missing or has another key.
func staleRecipes(c Config, recipes []recipe) ([]recipe, error) {
	var stale []recipe
	for _, r := range recipes {
		key, err := r.key(c.Root)
		if err != nil {
			return nil, err
		}
		binary := serverBinary(c.Cache, r.Name)
		built, _ := os.ReadFile(binary + ".key")
		if _, err := os.Stat(binary); err != nil || string(built) != key {
			stale = append(stale, r)
		}
	}
	return stale, nil
}

// build builds one recipe beside its place and renames it there: a build that
// is cut short leaves the old program, and a lab that runs it goes on.
func (r recipe) build(ctx context.Context, c Config, out io.Writer, title string, nice int) error {
	key, err := r.key(c.Root)
	if err != nil {
		return err
	}
	binary := serverBinary(c.Cache, r.Name)
	fresh := binary + ".new"
	defer func() { _ = os.Remove(fresh) }()
	fmt.Fprintf(out, "building %s\n", title)
	began := time.Now()
	job := goJob{
		title: "building " + title, dir: filepath.Join(c.Root, r.Dir),
		// As many compilers as processors, each of which uses one: they take a
		// quarter less processor time than compilers that use all.
		env: []string{"CGO_ENABLED=0", "GOMAXPROCS=1"}, args: r.arguments(fresh), nice: nice,
	}
	if err := job.run(ctx, out); err != nil {
		return fmt.Errorf("build %s: %w", r.Name, err)
	}
	_ = os.Remove(binary + ".key")
	if err := os.Rename(fresh, binary); err != nil {
		return fmt.Errorf("build %s: %w", r.Name, err)
	}
	if err := writeFile(binary+".key", []byte(key), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "built %s in %s\n", title, elapsed(began))
	return nil
}

// progressEvery is how often a long build says that it still runs.
const progressEvery = 15 * time.Second

// goJob is one run of the go command.
type goJob struct {
	title string // for progress
	dir   string
	env   []string
	args  []string
	nice  int
}

// run runs the go command without workspace or toolchain downloads, as
// [command.run] does.
func (j goJob) run(ctx context.Context, out io.Writer) error {
	env := append([]string{"GOWORK=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly"}, j.env...)
	return command{title: j.title, dir: j.dir, program: "go", args: j.args, env: env, nice: j.nice}.run(ctx, out)
}

// command is one run of a program that builds something.
type command struct {
	title   string // for progress
	dir     string
	program string
	args    []string
	env     []string // besides the caller's own
	nice    int      // how much it and what it starts gives way to others, 0 to 19
}

// run runs the program and prints the title and the elapsed time meanwhile. Its
// output is part of the error. Cancelling ctx ends it and all that it started.
func (j command) run(ctx context.Context, out io.Writer) error {
	cmd := exec.CommandContext(ctx, j.program, j.args...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), j.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = DefaultStopGrace
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	finished := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w; install it and put it on PATH", filepath.Base(j.program), err)
	}
	if j.nice > 0 {
		// A program that gives way too little is no reason to fail.
		_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, min(j.nice, 19))
	}
	go func() { finished <- cmd.Wait() }()
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-finished:
			if err != nil && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return fmt.Errorf("%s %s: %w\n%s", filepath.Base(j.program), j.args[0], err, strings.TrimSpace(output.String()))
			}
			return nil
		case <-ticker.C:
			fmt.Fprintf(out, "%s: %s\n", j.title, elapsed(began))
		}
	}
}

// buildSampleapp builds the application in the lab's own folder. Go finds out by
// itself whether a source has changed, so this is always done, and with the
// settings of every other build of this checkout, so that they share a cache.
func buildSampleapp(ctx context.Context, c Config, out io.Writer) error {
	binary := paths{c.Home}.sampleapp()
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return fmt.Errorf("build sampleapp: %w", err)
	}
	job := goJob{
		title: "building sampleapp", dir: filepath.Join(c.Root, "sampleapp"), args: []string{"build", "-o", binary, "."}, nice: gapFiller,
	}
	if err := job.run(ctx, out); err != nil {
		return fmt.Errorf("build sampleapp: %w", err)
	}
	return nil
}

// lockCache waits for the cache's lock, which is the directory itself.
func lockCache(ctx context.Context, cache string, out io.Writer) (unlock func(), err error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for said := false; ; said = true {
		lock, busy, err := lockDir(filepath.Join(cache, "bin"))
		if err != nil {
			return nil, err
		}
		if !busy {
			return func() { _ = lock.Close() }, nil
		}
		if !said {
			fmt.Fprintf(out, "waiting for another build in %s\n", cache)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// elapsed renders the time since began in whole seconds, tenths below ten.
func elapsed(began time.Time) string {
	d := time.Since(began)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
