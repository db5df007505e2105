package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// logLines is how many lines of each component Logs begins with.
const logLines = 20

// Logs prints the last lines of one component's log, or of every component's
// where none is named, and with follow goes on until ctx ends. Logs outlive the
// lab, so this works after a failed start too.
func Logs(ctx context.Context, c Config, out io.Writer, component string, follow bool) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	mode, err := c.runningMode(ctx)
	if err != nil {
		return err
	}
	if mode == Docker {
		return dockerLogs(ctx, c, out, component, follow)
	}
	at := paths{c.Home}
	known, err := logNames(at.logs())
	if err != nil {
		return err
	}
	chosen := known
	if component != "" {
		if !slices.Contains(known, component) {
			return fmt.Errorf("no log of %q; there are logs of %s", component, strings.Join(known, ", "))
		}
		chosen = []string{component}
	}
	var followed []*logFollower
	for _, name := range chosen {
		f := newLogFollower(at.log(name), name, len(chosen) > 1)
		if err := f.begin(out); err != nil {
			return err
		}
		followed = append(followed, f)
	}
	if !follow {
		return nil
	}
	return followLogs(ctx, followed, out)
}

// logNames lists the components that have a log.
func logNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".log"); ok {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there are no logs in %s: the lab was never started here", dir)
	}
	return found, nil
}

// followLogs copies what is added to the logs until ctx ends.
func followLogs(ctx context.Context, followed []*logFollower, out io.Writer) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, f := range followed {
			if err := f.more(out); err != nil {
				return err
			}
		}
	}
}

// logFollower copies whole lines of one growing log. It notices when the log is
// cut or begun anew.
type logFollower struct {
	path   string
	prefix string
	offset int64
	rest   string // a line that has no end yet
}

func newLogFollower(path, name string, named bool) *logFollower {
	f := &logFollower{path: path}
	if named {
		f.prefix = fmt.Sprintf("%-13s | ", name)
	}
	return f
}

// begin prints the last lines and goes to the end of the log.
func (f *logFollower) begin(out io.Writer) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	f.offset = info.Size()
	for _, line := range tail(f.path, logLines) {
		fmt.Fprintln(out, f.prefix+line)
	}
	return nil
}

// more prints the lines that were added since the last call.
func (f *logFollower) more(out io.Writer) error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // between two runs
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	if info.Size() < f.offset {
		f.offset, f.rest = 0, ""
	}
	added, err := io.ReadAll(io.NewSectionReader(file, f.offset, info.Size()-f.offset))
	if err != nil {
		return fmt.Errorf("read log %s: %w", filepath.Base(f.path), err)
	}
	f.offset += int64(len(added))
	text := f.rest + string(added)
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			f.rest = line
			return nil
		}
		fmt.Fprint(out, f.prefix+line)
	}
	f.rest = ""
	return nil
}
