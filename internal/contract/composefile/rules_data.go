package composefile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// imageVolumes lists, for each image, the folders that it declares as volumes.
func imageVolumes() map[string][]string {
	return map[string][]string{
		"postgres":             {"/var/lib/postgresql/data"},
		"redis":                {"/data"},
		"prom/prometheus":      {"/prometheus"},
		"prom/alertmanager":    {"/alertmanager"},
		"jaegertracing/jaeger": {"/tmp"},
		"grafana/loki":         nil,
		"grafana/pyroscope":    {"/data", "/data-compactor", "/data-metastore"},
		"grafana/grafana":      nil,
		"plumbline/sampleapp":  nil,
	}
}

// namedVolumes holds every folder that an image declares as a volume to a
// volume with a name, or to memory: for any other the engine makes a volume
// without a name at each start, which no `make down` deletes.
func namedVolumes(s *Stack) []string {
	return perService(func(svc types.ServiceConfig) []string {
		image, _, _ := strings.Cut(svc.Image, ":")
		declared, known := imageVolumes()[image]
		if !known {
			return []string{fmt.Sprintf("has the image %s, whose volumes are not known here", image)}
		}
		var out []string
		for _, folder := range declared {
			mounted := slices.ContainsFunc(svc.Volumes, func(v types.ServiceVolumeConfig) bool {
				return v.Type == types.VolumeTypeVolume && v.Source != "" && v.Target == folder
			})
			inMemory := slices.ContainsFunc(svc.Tmpfs, func(mount string) bool {
				target, _, _ := strings.Cut(mount, ":")
				return target == folder
			})
			if !mounted && !inMemory {
				out = append(out, fmt.Sprintf("leaves %s to a volume without a name", folder))
			}
		}
		return out
	})(s)
}
