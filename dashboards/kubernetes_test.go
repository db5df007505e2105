package dashboards_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cacheu/plumbline/dashboards"
)

const configMaps = "kubernetes"

func TestConfigMapsAreCurrent(t *testing.T) {
	t.Parallel()
	fresh := t.TempDir()
	if err := dashboards.WriteKubernetes(fresh, dashboards.Options{}); err != nil {
		t.Fatal(err)
	}
	want, have := readAll(t, fresh), readAll(t, configMaps)
	for name, content := range want {
		if !bytes.Equal(have[name], content) {
			t.Errorf("%s/%s is not what the program makes; run make generate", configMaps, name)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("%s/%s is made by no dashboard; delete it", configMaps, name)
		}
	}
}

// TestConfigMapsHoldTheDashboards parses what is committed and compares it with
// the other committed form.
func TestConfigMapsHoldTheDashboards(t *testing.T) {
	t.Parallel()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range readAll(t, configMaps) {
		var m struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Metadata   struct {
				Name, Namespace string
				Labels          map[string]string
			}
			Data map[string]string
		}
		if err := yaml.Unmarshal(content, &m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		uid := strings.TrimSuffix(name, ".yml")
		if m.APIVersion != "v1" || m.Kind != "ConfigMap" || m.Metadata.Name != uid || m.Metadata.Namespace != "" || m.Metadata.Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s is %s %s %+v", name, m.APIVersion, m.Kind, m.Metadata)
		}
		want, err := os.ReadFile(filepath.Join(generated, uid+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) != 1 || m.Data[uid+".json"] != string(want) {
			t.Errorf("%s does not hold %s.json as it is in %s", name, uid, generated)
		}
		if len(content) > dashboards.MaxConfigMap {
			t.Errorf("%s has %d bytes", name, len(content))
		}
	}
	if got := len(readAll(t, configMaps)); got != len(all) {
		t.Errorf("%d files for %d dashboards", got, len(all))
	}
}

func TestADashboardThatIsTooLargeForKubernetesIsRefused(t *testing.T) {
	t.Parallel()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", dashboards.MaxConfigMap)
	all[0].Model.Description = &long
	if _, err := all[0].ConfigMap(); err == nil || !strings.Contains(err.Error(), "Kubernetes takes 1048576: split it") {
		t.Errorf("got %v", err)
	}
}
