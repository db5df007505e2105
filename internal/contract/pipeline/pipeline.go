// Package pipeline checks what runs the checks: the Makefile and the workflow
// of continuous integration. It is pure and safe for concurrent use.
package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// target is a rule of the Makefile: name, prerequisites and description.
var target = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):([^=\n#]*)(?:## (.*))?$`)

// Targets returns the targets of a Makefile with their prerequisites.
func Targets(makefile string) map[string][]string {
	targets := map[string][]string{}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = strings.Fields(m[2])
	}
	return targets
}

// CheckMakefile returns a line for each target that `make help` does not list
// and that no listed one runs (nobody would run it), for each prerequisite that
// does not exist, for a target that is not phony, and for a default that is not
// help. Tests of all modules must not come from go's memory of results, which
// overlooks that files of another module have changed.
func CheckMakefile(makefile string) []string {
	var problems []string
	targets := Targets(makefile)
	run := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if run[name] {
			return
		}
		run[name] = true
		for _, p := range targets[name] {
			if _, ok := targets[p]; !ok {
				problems = append(problems, fmt.Sprintf("%s needs %s, which does not exist", name, p))
			}
			visit(p)
		}
	}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		if m[3] != "" {
			visit(m[1])
		}
	}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		if !run[m[1]] {
			problems = append(problems, fmt.Sprintf("%s has no description, and nothing that has one runs it", m[1]))
		}
		if !regexp.MustCompile(`(?m)^\.PHONY:.*\b` + m[1] + `(\s|$)`).MatchString(makefile) {
			problems = append(problems, fmt.Sprintf("%s is not phony: a file of that name would switch it off", m[1]))
		}
	}
	for _, line := range []string{".DEFAULT_GOAL := help", "export GOWORK := off", "export GOTOOLCHAIN := local"} {
		if !strings.Contains(makefile, "\n"+line+"\n") {
			problems = append(problems, "there is no line "+line)
		}
	}
	for _, line := range strings.Split(makefile, "\n") {
		if strings.Contains(line, "$(GO) test") && strings.Contains(line, "./...") && !strings.Contains(line, "$(uncached)") {
			problems = append(problems, strings.TrimSpace(line)+" may repeat old results: add $(uncached)")
		}
	}
	return problems
}

// pinnedAction is an action at a commit, with its version beside it.
var pinnedAction = regexp.MustCompile(`^\s*(?:- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// install is what a step may run besides make and .ci/run.
var install = regexp.MustCompile(`^sudo apt-get update && sudo apt-get install --yes [a-z0-9 -]+$`)

// CheckWorkflow returns a line for each action that is not pinned to a commit,
// for each permission besides reading the code, and for each command that a
// developer could not run: steps run make targets and .ci/run.
func CheckWorkflow(workflow, makefile string) ([]string, error) {
	var file struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Permissions map[string]string `yaml:"permissions"`
			Timeout     int               `yaml:"timeout-minutes"`
			Steps       []struct {
				Run             string `yaml:"run"`
				ContinueOnError bool   `yaml:"continue-on-error"`
				If              string `yaml:"if"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(workflow), &file); err != nil {
		return nil, fmt.Errorf("parse the workflow: %w", err)
	}
	var problems []string
	if len(file.Permissions) != 1 || file.Permissions["contents"] != "read" {
		problems = append(problems, fmt.Sprintf("the permissions are %v, want contents: read", file.Permissions))
	}
	for _, line := range strings.Split(workflow, "\n") {
		if strings.Contains(line, "uses:") && !pinnedAction.MatchString(line) {
			problems = append(problems, fmt.Sprintf("%q is not an action at a commit with its version beside it", strings.TrimSpace(line)))
		}
	}
	targets := Targets(makefile)
	for name, job := range file.Jobs {
		if len(job.Permissions) > 0 {
			problems = append(problems, name+" asks for permissions of its own")
		}
		if job.Timeout == 0 {
			problems = append(problems, name+" has no timeout-minutes")
		}
		for _, step := range job.Steps {
			if step.ContinueOnError || step.If != "" {
				problems = append(problems, fmt.Sprintf("%s: %q can fail unseen", name, step.Run))
			}
			if step.Run != "" && !allowed(strings.TrimSpace(step.Run), targets) {
				problems = append(problems, fmt.Sprintf("%s runs %q, want a make target or .ci/run", name, step.Run))
			}
		}
	}
	slices.Sort(problems)
	return problems, nil
}

func allowed(command string, targets map[string][]string) bool {
	if name, ok := strings.CutPrefix(command, "make "); ok {
		_, exists := targets[name]
		return exists
	}
	return command == ".ci/run" || install.MatchString(command)
}
