package lab

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// faultStop stops any one component.
const faultStop = "stop"

// serviceFault is one that a service brings about itself. It reads the file of
// faults for that.
type serviceFault struct {
	example, effect string
	value           *regexp.Regexp // what follows the name; nil is nothing
	component       string         // that does it
}

// name is what stands before the value.
func (f serviceFault) name() string {
	name, _, _ := strings.Cut(f.example, "=")
	return name
}

// The values of faults: a duration, and a share in percent. Package faults of the
// sample application reads them.
const (
	aDuration = `[0-9]+(\.[0-9]+)?(ms|s)`
	aShare    = `(100|[1-9]?[0-9](\.[0-9]+)?)%`
)

func serviceFaults() []serviceFault {
	value := func(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }
	return []serviceFault{
		{"latency=1.5s", "the api answers so much later; latency=1.5s@2% that share of its requests", value(aDuration + "(@" + aShare + ")?"), "api"},
		{"slow-route=1.5s@/api/invites", "one route of the api answers so much later", value(aDuration + "@/[a-z/:]+"), "api"},
		{"errors=10%", "the api fails that share of its requests", value(aShare), "api"},
		{"n-plus-one", "the api lists posts with a query for each author", nil, "api"},
		{"pool=100%", "that share of the api's connections to each database is held, a second and a half at a time", value(aShare), "api"},
		{"memory=95%", "the api has a memory limit and uses that share of it", value(aShare), "api"},
		{"leak=85%", "the api has a memory limit, and what it uses grows to that share", value(aShare), "api"},
		{"garbage", "the api makes garbage on two processors", nil, "api"},
		{"slow-jobs=8s", "the worker takes so much longer for each job", value(aDuration), "worker"},
	}
}

func serviceFaultOf(kind string) (serviceFault, bool) {
	all := serviceFaults()
	i := slices.IndexFunc(all, func(f serviceFault) bool { return f.name() == kind })
	if i < 0 {
		return serviceFault{}, false
	}
	return all[i], true
}

func isServiceFault(kind string) bool {
	_, is := serviceFaultOf(kind)
	return is
}

// checkServiceFault refuses what the service would not understand.
func checkServiceFault(name string) error {
	kind, value, given := strings.Cut(name, "=")
	f, _ := serviceFaultOf(kind)
	if f.value == nil && given || f.value != nil && !f.value.MatchString(value) {
		return fmt.Errorf("%q cannot be: want something like %s", name, f.example)
	}
	return nil
}

// checkStop refuses what is no component that runs.
func checkStop(component string) error {
	if !slices.Contains(Components(), component) || component == "migrate" {
		return fmt.Errorf("%s=%s names no component that runs; there are %s", faultStop, component, strings.Join(Components(), ", "))
	}
	return nil
}

// FillLog makes the primary of a native lab that is up write so many megabytes
// of log, which the slot of a replica that is down then keeps.
func FillLog(ctx context.Context, c Config, megabytes int) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	return runFaultScript(ctx, c, "postgres", fmt.Sprintf("fill=%d", megabytes))
}

// needed are the components that a fault needs to be there.
func needed(name string) []string {
	kind, value, _ := strings.Cut(name, "=")
	if f, is := serviceFaultOf(kind); is {
		return []string{f.component}
	}
	switch kind {
	case faultStop:
		return []string{value}
	case faultClear:
		return nil
	}
	return []string{faultyReplica}
}
