package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/repo"
)

func TestFilesListsTrackedAndNewFilesButNotIgnoredOnes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".gitignore": "ignored\n", "tracked": "", "sub/new": "", "ignored": "", "gone": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "tracked", "gone"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}

	got, err := repo.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{".gitignore", "sub/new", "tracked"}; !slices.Equal(got, want) {
		t.Errorf("Files = %q, want %q", got, want)
	}
}

func TestFilesFailsOutsideACheckout(t *testing.T) {
	t.Parallel()
	if files, err := repo.Files(t.TempDir()); err == nil {
		t.Errorf("Files of a folder without git = %q, want an error", files)
	}
}
