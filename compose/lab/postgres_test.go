package lab

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccountThatRunsPostgres(t *testing.T) {
	t.Parallel()
	known := func(names ...string) func(string) (*user.User, error) {
		return func(name string) (*user.User, error) {
			for i, n := range names {
				if n == name {
					return &user.User{Uid: string(rune('5' + i)), Gid: "9"}, nil
				}
			}
			return nil, user.UnknownUserError(name)
		}
	}
	cases := map[string]struct {
		euid   int
		lookup func(string) (*user.User, error)
		want   *account
		bad    string
	}{
		"an ordinary user runs it":                {1000, known("postgres"), nil, ""},
		"root leaves it to postgres":              {0, known("postgres", "nobody"), &account{"postgres", 5, 9}, ""},
		"root leaves it to nobody, if need be":    {0, known("x", "nobody"), &account{"nobody", 6, 9}, ""},
		"root without any of the two is told how": {0, known(), nil, "useradd"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := postgresAccount(c.euid, c.lookup)
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("error %v, want %q", err, c.bad)
				}
				return
			}
			if err != nil || (got == nil) != (c.want == nil) || (got != nil && *got != *c.want) {
				t.Errorf("account %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestHomeThatPostgresCannotEnterIsRefused(t *testing.T) {
	t.Parallel()
	// Not t.TempDir: the directory around that one is closed too.
	closed, err := os.MkdirTemp("", "closed-*")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(closed) }()
	who := &account{Name: "postgres"}
	err = reachable(filepath.Join(closed, "not", "there", "yet"), who)
	if err == nil || !strings.Contains(err.Error(), closed+" (mode") || !strings.Contains(err.Error(), "PLUMBLINE_HOME") {
		t.Errorf("error %v", err)
	}
	if err := reachable(closed, nil); err != nil {
		t.Errorf("the lab's own user is refused: %v", err)
	}
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := reachable(filepath.Join(closed, "not", "there", "yet"), who); err != nil {
		t.Error(err)
	}
}

func TestMachineWithoutPostgresIsToldThePackage(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		t.Setenv("PATH", t.TempDir())
		if err := findPostgres(); err != nil {
			t.Errorf("Debian's place is not looked at: %v", err)
		}
		return
	}
	t.Setenv("PATH", t.TempDir())
	if err := findPostgres(); err == nil || !strings.Contains(err.Error(), "install the package postgresql") {
		t.Errorf("error %v", err)
	}
}
