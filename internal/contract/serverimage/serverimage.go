// Package serverimage ties the image versions of compose/versions.env to the
// Go modules from which the native lab builds the same servers, so that both
// labs run the same releases.
//
// It is pure and safe for concurrent use.
package serverimage

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// Server is one server that is an image in Docker and a Go module natively.
type Server struct {
	// Variable of versions.env.
	Variable string
	// Dir below tools/ that holds the go.mod.
	Dir string
	// Module path.
	Module string
	// Tag computes the image tag from the module version.
	Tag func(moduleVersion string) (string, error)
}

// Servers returns the servers of the lab.
func Servers() []Server {
	return []Server{
		{"PROMETHEUS_VERSION", "prometheus", "github.com/prometheus/prometheus", prometheusTag},
		{"ALERTMANAGER_VERSION", "alertmanager", "github.com/prometheus/alertmanager", sameTag},
		{"JAEGER_VERSION", "jaeger", "github.com/jaegertracing/jaeger", jaegerTag},
		{"LOKI_VERSION", "loki", "github.com/grafana/loki/v3", withoutV},
		{"PYROSCOPE_VERSION", "pyroscope", "github.com/grafana/pyroscope", withoutV},
	}
}

func sameTag(version string) (string, error)  { return version, nil }
func withoutV(version string) (string, error) { return strings.TrimPrefix(version, "v"), nil }

// prometheusTag maps module v0.315.0 to release v3.15.0: the module's minor
// version is the release's major and two digits of its minor.
func prometheusTag(version string) (string, error) {
	major, minor, patch, err := parts(version)
	if err != nil {
		return "", err
	}
	if major != 0 || minor < 300 {
		return "", fmt.Errorf("the Prometheus module version is %s, want v0.3xx.y", version)
	}
	return fmt.Sprintf("v%d.%d.%d", minor/100, minor%100, patch), nil
}

// jaegerTag maps module v1.76.0 to release 2.13.0: both lines were released
// together, 63 minor versions apart.
func jaegerTag(version string) (string, error) {
	major, minor, patch, err := parts(version)
	if err != nil {
		return "", err
	}
	if major != 1 || minor < 63 {
		return "", fmt.Errorf("the Jaeger module version is %s, want v1.63.0 or later", version)
	}
	return fmt.Sprintf("2.%d.%d", minor-63, patch), nil
}

func parts(version string) (major, minor, patch int, err error) {
	list := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(list) != 3 {
		return 0, 0, 0, fmt.Errorf("version %q has not three parts", version)
	}
	numbers := make([]int, 3)
	for i, p := range list {
		if numbers[i], err = strconv.Atoi(p); err != nil {
			return 0, 0, 0, fmt.Errorf("version %q: %w", version, err)
		}
	}
	return numbers[0], numbers[1], numbers[2], nil
}

// Check compares one server's module version with its image tag.
func (s Server) Check(goMod string, versions map[string]string) error {
	version, err := required(goMod, s.Module)
	if err != nil {
		return fmt.Errorf("tools/%s: %w", s.Dir, err)
	}
	want, err := s.Tag(version)
	if err != nil {
		return fmt.Errorf("tools/%s: %w", s.Dir, err)
	}
	if got := versions[s.Variable]; got != want {
		return fmt.Errorf("tools/%s requires %s %s, which is the release %s, but versions.env has %s=%s", s.Dir, s.Module, version, want, s.Variable, got)
	}
	return nil
}

func required(goMod, module string) (string, error) {
	mod, err := modfile.Parse("go.mod", []byte(goMod), nil)
	if err != nil {
		return "", fmt.Errorf("parse go.mod: %w", err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("go.mod does not require %s", module)
}

// Shared are the largest modules that several servers are made of. Each version
// of one of them compiles anew, so all servers have the same.
var Shared = []string{
	"github.com/Azure/azure-sdk-for-go/sdk/azcore",
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity",
	"github.com/AzureAD/microsoft-authentication-library-for-go",
	"github.com/aws/aws-sdk-go-v2",
	"github.com/aws/aws-sdk-go-v2/config",
	"github.com/aws/aws-sdk-go-v2/service/sts",
	"github.com/aws/smithy-go",
	"github.com/klauspost/compress",
	"github.com/prometheus/client_golang",
	"github.com/prometheus/common",
	"github.com/prometheus/procfs",
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
	"go.opentelemetry.io/otel",
	"go.opentelemetry.io/otel/sdk",
	"go.opentelemetry.io/proto/otlp",
	"go.uber.org/zap",
	"golang.org/x/crypto",
	"golang.org/x/net",
	"golang.org/x/sys",
	"golang.org/x/text",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
}

// CheckShared compares the versions of the [Shared] modules in the go.mod files,
// by folder.
func CheckShared(goMods map[string]string) (problems []string) {
	for _, module := range Shared {
		folders := map[string][]string{} // by version
		for _, s := range Servers() {
			if version, err := required(goMods[s.Dir], module); err == nil {
				folders[version] = append(folders[version], s.Dir)
			}
		}
		if len(folders) != 1 {
			problems = append(problems, fmt.Sprintf("%s is required in %d versions, want one: %v", module, len(folders), folders))
		}
	}
	return problems
}

// CheckBuilds compares tools/builds.json with the go.mod files, by folder, and
// with the tags: what a binary says of itself must be what it is. Every server
// must be built.
func CheckBuilds(builds string, goMods, versions map[string]string) ([]string, error) {
	var file struct {
		Builds []struct {
			Name          string `json:"name"`
			Dir           string `json:"dir"`
			Module        string `json:"module"`
			ModuleVersion string `json:"module_version"`
			Version       string `json:"version"`
		} `json:"builds"`
	}
	if err := json.Unmarshal([]byte(builds), &file); err != nil {
		return nil, fmt.Errorf("parse builds.json: %w", err)
	}
	servers := map[string]Server{}
	for _, s := range Servers() {
		servers[s.Module] = s
	}
	built := map[string]bool{}
	var problems []string
	for _, b := range file.Builds {
		s, ok := servers[b.Module]
		if !ok || b.Dir != "tools/"+s.Dir {
			problems = append(problems, fmt.Sprintf("%s is built from %s in %s, which is no server of the lab", b.Name, b.Module, b.Dir))
			continue
		}
		built[b.Name] = true
		if version, err := required(goMods[s.Dir], b.Module); err != nil || version != b.ModuleVersion {
			problems = append(problems, fmt.Sprintf("%s says module version %s, its go.mod %s", b.Name, b.ModuleVersion, version))
		}
		if tag := strings.TrimPrefix(versions[s.Variable], "v"); tag != b.Version {
			problems = append(problems, fmt.Sprintf("%s calls itself %s, its image %s", b.Name, b.Version, tag))
		}
	}
	for _, s := range Servers() {
		if !built[s.Dir] {
			problems = append(problems, s.Dir+" is not built")
		}
	}
	return problems, nil
}
