// Package repo finds the checkout and lists its files.
//
// It reads the file system and runs git; it changes nothing. Its functions are
// safe for concurrent use.
package repo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the path of the root module, which marks the root of the checkout.
const Module = "github.com/cacheu/plumbline"

// Root returns the folder of the root module, looking upwards from the working
// directory. Tests of this module run somewhere below it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the root of the repository: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module "+Module+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the root of the repository: no go.mod of %s above the working directory", Module)
		}
		dir = parent
	}
}

// Files returns the files of the repository as slash-separated paths relative
// to root, sorted: those that git tracks and those that it would offer to add.
// Ignored files are left out, and so are files deleted from the work tree.
func Files(root string) ([]string, error) {
	cmd := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("list the files of the repository: %w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("list the files of the repository (install the package git): %w", err)
	}
	var files []string
	for _, name := range strings.Split(string(out), "\x00") {
		if name == "" {
			continue
		}
		info, err := os.Lstat(filepath.Join(root, name))
		if err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
