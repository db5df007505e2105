package alerts

// The document of the Prometheus operator's custom resource.
type (
	kubernetesRule struct {
		APIVersion string             `yaml:"apiVersion"`
		Kind       string             `yaml:"kind"`
		Metadata   kubernetesMetadata `yaml:"metadata"`
		Spec       promFile           `yaml:"spec"`
	}
	kubernetesMetadata struct {
		Name   string            `yaml:"name"`
		Labels map[string]string `yaml:"labels"`
	}
)

// WriteKubernetes writes one PrometheusRule per group into a folder per flavour
// below dir, for the Prometheus operator: dir/native/slo-errors.yml. Without
// flavours it writes all of them, whatever o.Flavor says. The objects have no
// namespace, so they go where they are applied, and the label
// app.kubernetes.io/part-of: plumbline, for the operator's ruleSelector. It
// fails before the first file for options out of bounds.
func WriteKubernetes(dir string, o Options, flavors ...Flavor) error {
	return writeFlavors(dir, o, flavors, RenderKubernetes)
}

// RenderKubernetes returns the objects of o.Flavor by file name.
func RenderKubernetes(o Options) (map[string][]byte, error) {
	return renderEach(o, Options.describeFlavor, func(g Group, _ Options) any {
		return kubernetesRule{
			APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule",
			Metadata: kubernetesMetadata{
				Name:   groupPrefix + g.Name,
				Labels: map[string]string{"app.kubernetes.io/part-of": "plumbline"},
			},
			Spec: promFile{Groups: []promGroup{promGroupOf(g)}},
		}
	})
}
