package serverimage_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/composefile"
	"github.com/cacheu/plumbline/internal/contract/repo"
	"github.com/cacheu/plumbline/internal/contract/serverimage"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(append([]string{root}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func versions(t *testing.T) map[string]string {
	t.Helper()
	v, err := composefile.ParseEnv(read(t, "compose", "versions.env"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func goMods(t *testing.T) map[string]string {
	t.Helper()
	mods := map[string]string{}
	for _, s := range serverimage.Servers() {
		mods[s.Dir] = read(t, "tools", s.Dir, "go.mod")
	}
	return mods
}

func TestBothLabsRunTheSameReleases(t *testing.T) {
	t.Parallel()
	mods := goMods(t)
	for _, s := range serverimage.Servers() {
		if err := s.Check(mods[s.Dir], versions(t)); err != nil {
			t.Error(err)
		}
	}
	problems, err := serverimage.CheckBuilds(read(t, "tools", "builds.json"), mods, versions(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

func TestAVersionThatMovesAloneIsCaught(t *testing.T) {
	t.Parallel()
	for _, s := range serverimage.Servers() {
		v := versions(t)
		v[s.Variable] += "9"
		if err := s.Check(goMods(t)[s.Dir], v); err == nil || !strings.Contains(err.Error(), s.Variable) {
			t.Errorf("%s=%s: %v, want an error", s.Variable, v[s.Variable], err)
		}
		problems, err := serverimage.CheckBuilds(read(t, "tools", "builds.json"), goMods(t), v)
		if err != nil || len(problems) == 0 {
			t.Errorf("CheckBuilds with %s=%s: %q, %v, want a problem", s.Variable, v[s.Variable], problems, err)
		}
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"a module version that is not required": {`"v0.315.0"`, `"v0.316.0"`, "prometheus says module version v0.316.0, its go.mod v0.315.0"},
		"a server that nobody builds":           {`"name": "loki"`, `"name": "logs"`, "loki is not built"},
		"another module":                        {`"github.com/grafana/pyroscope"`, `"github.com/grafana/phlare"`, "which is no server of the lab"},
	} {
		text := read(t, "tools", "builds.json")
		if !strings.Contains(text, c.old) {
			t.Fatalf("builds.json no longer contains %s", c.old)
		}
		problems, err := serverimage.CheckBuilds(strings.Replace(text, c.old, c.new, 1), goMods(t), versions(t))
		if err != nil || !strings.Contains(strings.Join(problems, "\n"), c.want) {
			t.Errorf("%s: %q, %v, want %q", name, problems, err, c.want)
		}
	}
}

func TestServersShareTheirLargestModules(t *testing.T) {
	t.Parallel()
	mods := goMods(t)
	for _, p := range serverimage.CheckShared(mods) {
		t.Error(p)
	}
	for _, module := range serverimage.Shared {
		moved := regexp.MustCompile(`(\s`+regexp.QuoteMeta(module)+` )v\S+`).ReplaceAllString(mods["prometheus"], "${1}v1.999.0")
		problems := serverimage.CheckShared(map[string]string{"prometheus": moved, "jaeger": mods["jaeger"], "loki": mods["loki"]})
		if len(problems) != 1 || !strings.HasPrefix(problems[0], module+" is required in ") {
			t.Errorf("with a version of its own in prometheus: %q, want one problem with %s", problems, module)
		}
	}
}

func TestTagsOfModuleVersions(t *testing.T) {
	t.Parallel()
	tags := map[string]map[string]string{
		"prometheus": {"v0.315.0": "v3.15.0", "v0.300.1": "v3.0.1", "v0.55.0": "", "v3.1.0": "", "v0.315": ""},
		"jaeger":     {"v1.76.0": "2.13.0", "v1.63.2": "2.0.2", "v1.62.0": "", "v2.13.0": "", "v1.x.0": ""},
		"loki":       {"v3.7.8": "3.7.8"},
	}
	for _, s := range serverimage.Servers() {
		for version, want := range tags[s.Dir] {
			got, err := s.Tag(version)
			if got != want || (err == nil) != (want != "") {
				t.Errorf("%s %s is release %q (%v), want %q", s.Dir, version, got, err, want)
			}
		}
	}
}

func TestTheImageThatCompilesKnowsTheLanguageOfEveryModule(t *testing.T) {
	t.Parallel()
	compiler, _, _ := strings.Cut(versions(t)["GO_VERSION"], "-")
	directives := map[string]string{}
	for _, dir := range []string{".", "sampleapp", "internal/contract", "internal/overhead"} {
		mod, err := modfile.Parse("go.mod", []byte(read(t, filepath.FromSlash(dir), "go.mod")), nil)
		if err != nil {
			t.Fatal(err)
		}
		directives[dir] = mod.Go.Version
		if semver.Compare("v"+compiler, "v"+mod.Go.Version) < 0 {
			t.Errorf("GO_VERSION is %s, but %s/go.mod needs Go %s", compiler, dir, mod.Go.Version)
		}
		if mod.Toolchain != nil {
			t.Errorf("%s/go.mod asks for the toolchain %s, want the go directive alone", dir, mod.Toolchain.Name)
		}
	}
	for dir, version := range directives {
		if version != directives["."] {
			t.Errorf("%s/go.mod says go %s, the root says go %s", dir, version, directives["."])
		}
	}
}
