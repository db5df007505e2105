// Package composefile loads compose/compose.yaml as Docker Compose does and
// holds it to the lab's house rules.
//
// It reads files only when asked to ([ReadStack]); the rules themselves are
// pure and safe for concurrent use.
package composefile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// Source is what a stack is made of, as text.
type Source struct {
	// Dir is the folder of compose.yaml, against which its paths are resolved.
	Dir string
	// Compose and Versions are the contents of compose.yaml and versions.env.
	Compose, Versions string
	// Env is added to the versions, as a user's own environment would be.
	Env map[string]string
}

// Stack is a loaded stack.
type Stack struct {
	// Project is what Compose would start.
	Project *types.Project
	// Images holds the image of each service before variables are expanded.
	Images map[string]string
	// Versions are the variables of versions.env.
	Versions map[string]string
	// Text is compose.yaml itself.
	Text string
}

// ReadStack reads the files of the stack in dir.
func ReadStack(dir string) (Source, error) {
	compose, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if err != nil {
		return Source{}, fmt.Errorf("read the stack: %w", err)
	}
	versions, err := os.ReadFile(filepath.Join(dir, "versions.env"))
	if err != nil {
		return Source{}, fmt.Errorf("read the stack: %w", err)
	}
	return Source{Dir: dir, Compose: string(compose), Versions: string(versions)}, nil
}

// Load validates the source against the Compose specification and expands it.
// Only the versions and s.Env are visible to it, not the caller's environment.
func Load(ctx context.Context, s Source) (*Stack, error) {
	versions, err := ParseEnv(s.Versions)
	if err != nil {
		return nil, fmt.Errorf("versions.env: %w", err)
	}
	env := types.Mapping{}
	for k, v := range versions {
		env[k] = v
	}
	for k, v := range s.Env {
		env[k] = v
	}
	project, err := loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  s.Dir,
		Environment: env,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(s.Dir, "compose.yaml"), Content: []byte(s.Compose)}},
	})
	if err != nil {
		return nil, fmt.Errorf("load compose.yaml: %w", err)
	}
	var raw struct {
		Services map[string]struct {
			Image string `yaml:"image"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(s.Compose), &raw); err != nil {
		return nil, fmt.Errorf("parse compose.yaml: %w", err)
	}
	images := map[string]string{}
	for name, service := range raw.Services {
		images[name] = service.Image
	}
	return &Stack{Project: project, Images: images, Versions: versions, Text: s.Compose}, nil
}

// ParseEnv parses NAME=value lines. It takes no quotes and no expansion, so
// that a shell, make and Compose all read the file alike.
func ParseEnv(text string) (map[string]string, error) {
	vars := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || value == "" || strings.ContainsAny(line, " \t\"'$") {
			return nil, fmt.Errorf("line %d is %q, want NAME=value without spaces, quotes or $", i+1, line)
		}
		if _, twice := vars[name]; twice {
			return nil, fmt.Errorf("line %d sets %s a second time", i+1, name)
		}
		vars[name] = value
	}
	return vars, nil
}
