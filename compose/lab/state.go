package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// phase is how far the supervisor has come.
type phase string

const (
	phaseStarting phase = "starting"
	phaseReady    phase = "ready"
	phaseFailed   phase = "failed" // stopping, or stopped, after a failed start
	phaseStopping phase = "stopping"
	phaseStopped  phase = "stopped"
)

// condition is what the supervisor knows about one component.
type condition string

const (
	waiting  condition = "waiting"
	starting condition = "starting"
	running  condition = "running"
	done     condition = "done"   // a one-off step that succeeded
	exited   condition = "exited" // ended by itself; the lab restarts nothing
	stopped  condition = "stopped"
	cut      condition = "cut" // stopped by a fault, until that is cleared
)

// state is what the supervisor writes down for every other command. It holds
// no secrets.
type state struct {
	Supervisor identity         `json:"supervisor"`
	Phase      phase            `json:"phase"`
	Began      time.Time        `json:"began"`
	ReadySecs  float64          `json:"ready_seconds"` // whole lab
	Components []componentState `json:"components"`
	Failure    *failure         `json:"failure,omitempty"`
}

// componentState is one component's part of the state.
type componentState struct {
	Name      string    `json:"name"`
	Process   identity  `json:"process"`
	Condition condition `json:"condition"`
	StartSecs float64   `json:"start_seconds"` // from its start until it was ready
	Exit      string    `json:"exit,omitempty"`
}

// failure is why a lab did not start.
type failure struct {
	Component string   `json:"component"`
	Message   string   `json:"message"`
	Log       []string `json:"log"` // the component's last lines
}

// find returns the component of that name, or nil.
func (s *state) find(name string) *componentState {
	for i := range s.Components {
		if s.Components[i].Name == name {
			return &s.Components[i]
		}
	}
	return nil
}

// writeJSON replaces path by value in one step, readable by the owner only: a
// reader sees the old content or the new one, never a part.
func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return writeFile(path, append(content, '\n'), 0o600)
}

// writeFile writes content beside path and renames it into place.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// readState reads the state of a lab. It returns nil, nil where there is none.
func readState(path string) (*state, error) {
	var s state
	ok, err := readJSON(path, &s)
	if err != nil || !ok {
		return nil, err
	}
	return &s, nil
}

// readJSON decodes path into value, and reports false where there is no file.
func readJSON(path string, value any) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(content, value); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}
