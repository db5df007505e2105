package lab

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestStateSurvivesBeingWrittenAndRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	if got, err := readState(path); got != nil || err != nil {
		t.Fatalf("before anything is written: %v, %v", got, err)
	}
	want := state{
		Supervisor: identity{1, 2}, Phase: phaseFailed, Began: time.Unix(1700000000, 0).UTC(), ReadySecs: 1.5,
		Components: []componentState{{Name: "loki", Process: identity{3, 4}, Condition: exited, Exit: "exit status 1"}},
		Failure:    &failure{Component: "loki", Message: "loki ended", Log: []string{"a", "b"}},
	}
	for range 2 { // the second replaces the first
		if err := writeJSON(path, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readState(path)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside the state: %v, %v", entries, err)
	}
}

func TestDamagedStateIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(path); err == nil {
		t.Errorf("read %+v without an error", got)
	}
}

func TestPasswordsAreMadeOnceAndClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	first, err := loadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Postgres) < 20 || len(first.Redis) < 20 || len(first.Grafana) < 20 || first.Postgres == first.Redis {
		t.Error("passwords are short or equal")
	}
	second, err := loadSecrets(path)
	if err != nil || second != first {
		t.Errorf("the second start made other passwords (%v)", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}
