package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pageSources, below the root, is the page of the console.
const pageSources = "compose/console"

// pageFiles lists the files that the page is built from, relative to
// pageSources and sorted. What a developer's own npm leaves there is no source.
func pageFiles(root string) ([]string, error) {
	dir := filepath.Join(root, pageSources)
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case name == "node_modules" || name == "dist":
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the console's sources: %w", err)
	}
	slices.Sort(files)
	return files, nil
}

// keyOf hashes files, by name and content.
func keyOf(root string, files []string) (string, error) {
	hash := sha256.New()
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(root, pageSources, name))
		if err != nil {
			return "", fmt.Errorf("key of the console's page: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.ToSlash(name), len(content))
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// pageKey changes whenever a source of the page, or a version that it is built
// from, does. Tests are no part of the page.
func pageKey(root string) (string, error) {
	files, err := pageFiles(root)
	if err != nil {
		return "", err
	}
	return keyOf(root, slices.DeleteFunc(files, func(name string) bool {
		return strings.HasPrefix(name, "test"+string(filepath.Separator))
	}))
}

// PageBuild is where a page was built, and from what.
type PageBuild struct {
	Page string // the built page
	Work string // sources and node_modules that it was built from
}

// BuildPage makes sure that the console's page is in the cache, built from the
// sources of this checkout. A page that is there costs reading its sources; the
// first one costs installing the modules of the lock file, about a minute, and
// some seconds of building.
func BuildPage(ctx context.Context, c Config, out io.Writer) (PageBuild, error) {
	b, err := pageBuild(c)
	if err != nil || isFile(filepath.Join(b.Page, "index.html")) {
		return b, err
	}
	return b, b.locked(ctx, c, out, func(npm string) error {
		if isFile(filepath.Join(b.Page, "index.html")) { // another lab has built it meanwhile
			return nil
		}
		began := time.Now()
		fmt.Fprintln(out, "building the console's page")
		if err := b.prepare(ctx, c, npm, out); err != nil {
			return err
		}
		fresh := b.Page + ".new"
		defer func() { _ = os.RemoveAll(fresh) }()
		page := command{
			title: "building the console's page", dir: b.Work, program: npm, args: []string{"run", "page"}, env: []string{"CONSOLE_OUT=" + fresh},
		}
		if err := page.run(ctx, out); err != nil {
			return fmt.Errorf("build the console's page: %w", err)
		}
		if err := errors.Join(os.RemoveAll(b.Page), os.Rename(fresh, b.Page)); err != nil {
			return fmt.Errorf("build the console's page: %w", err)
		}
		fmt.Fprintf(out, "built the console's page in %s\n", elapsed(began))
		return nil
	})
}

// PreparePage puts the console's sources, its tests among them, and the modules
// that they need into the cache's work folder, and returns it. The page's own
// tests run there.
func PreparePage(ctx context.Context, c Config, out io.Writer) (work string, err error) {
	b, err := pageBuild(c)
	if err != nil {
		return "", err
	}
	return b.Work, b.locked(ctx, c, out, func(npm string) error { return b.prepare(ctx, c, npm, out) })
}

// locked runs a task with npm under the cache's lock.
func (b PageBuild) locked(ctx context.Context, c Config, out io.Writer, task func(npm string) error) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("build the console's page: %w; install Node.js with npm", err)
	}
	if err := os.MkdirAll(filepath.Join(c.Cache, "bin"), 0o755); err != nil {
		return fmt.Errorf("build the console's page: %w", err)
	}
	unlock, err := lockCache(ctx, c.Cache, out)
	if err != nil {
		return err
	}
	defer unlock()
	return task(npm)
}

// prepare copies the sources and installs the modules of the lock file, once
// for each lock file.
func (b PageBuild) prepare(ctx context.Context, c Config, npm string, out io.Writer) error {
	if err := copySources(c.Root, b.Work); err != nil {
		return err
	}
	if isFile(filepath.Join(b.Work, "node_modules", ".package-lock.json")) { // npm writes it last
		return nil
	}
	modules := command{
		title: "installing the console's modules", dir: b.Work, program: npm,
		// What a package wants to run while it is installed stays unrun.
		args: []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund"},
	}
	if err := modules.run(ctx, out); err != nil {
		return fmt.Errorf("install the console's modules: %w", err)
	}
	return nil
}

// pageBuild names the folders: one for each state of the sources, and one for
// each lock file, whose modules many states share.
func pageBuild(c Config) (PageBuild, error) {
	key, err := pageKey(c.Root)
	if err != nil {
		return PageBuild{}, err
	}
	lock, err := keyOf(c.Root, []string{"package-lock.json"})
	if err != nil {
		return PageBuild{}, err
	}
	dir := filepath.Join(c.Cache, "console")
	return PageBuild{Page: filepath.Join(dir, "page-"+key), Work: filepath.Join(dir, "work-"+lock)}, nil
}

// copySources replaces the sources in the work folder and keeps its modules.
func copySources(root, work string) error {
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy the console's sources: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == "node_modules" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(work, entry.Name())); err != nil {
			return fmt.Errorf("copy the console's sources: %w", err)
		}
	}
	files, err := pageFiles(root)
	if err != nil {
		return err
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(root, pageSources, name))
		if err != nil {
			return fmt.Errorf("copy the console's sources: %w", err)
		}
		to := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("copy the console's sources: %w", err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return fmt.Errorf("copy the console's sources: %w", err)
		}
	}
	return nil
}
