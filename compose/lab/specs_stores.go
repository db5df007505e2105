package lab

import (
	"cmp"
	"path/filepath"
)

// Memory: each server's garbage collector is told to be thrifty, and a soft
// limit makes it work harder before it grows beyond what the lab grants it. The
// sum of the limits stays well below the 1.5 GiB that an idle lab may use.
const (
	thrifty         = "GOGC=50"
	limitPrometheus = "GOMEMLIMIT=256MiB"
	limitAlerts     = "GOMEMLIMIT=64MiB"
	limitJaeger     = "GOMEMLIMIT=192MiB"
	limitLoki       = "GOMEMLIMIT=192MiB"
	limitPyroscope  = "GOMEMLIMIT=256MiB"
)

func (p *planner) prometheus() spec {
	address := local(p.ports.Prometheus)
	s := p.server("prometheus", []string{
		"--config.file=" + filepath.Join(p.paths.prometheus(), "prometheus.yml"),
		"--storage.tsdb.path=" + p.paths.data("prometheus"),
		"--web.listen-address=" + address,
		"--enable-feature=exemplar-storage",
		"--web.enable-lifecycle",
		"--log.level=warn",
	}, []string{limitPrometheus})
	s.Address = httpURL(p.ports.Prometheus, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.Prometheus, "/-/ready")}
	return s
}

func (p *planner) alertmanager() spec {
	s := p.server("alertmanager", []string{
		"--config.file=" + cmp.Or(p.config.Alertmanager, p.configFile("alertmanager", "alertmanager.yml")),
		"--storage.path=" + p.paths.data("alertmanager"),
		"--web.listen-address=" + local(p.ports.Alertmanager),
		"--cluster.listen-address=", // one process gossips with nobody
		"--log.level=warn",
	}, []string{thrifty, limitAlerts})
	s.Address = httpURL(p.ports.Alertmanager, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.Alertmanager, "/-/ready")}
	return s
}

func (p *planner) jaeger() spec {
	s := p.server("jaeger", []string{"--config", p.configFile("jaeger", "jaeger.yaml")}, []string{
		thrifty, limitJaeger,
		variable("JAEGER_PORT", p.ports.Jaeger),
		variable("JAEGER_GRPC_PORT", p.ports.JaegerGRPC),
		variable("JAEGER_OTLP_PORT", p.ports.JaegerOTLP),
		variable("JAEGER_OTLP_GRPC_PORT", p.ports.JaegerOTLPGRPC),
		variable("JAEGER_ZIPKIN_PORT", p.ports.JaegerZipkin),
		variable("JAEGER_HEALTH_PORT", p.ports.JaegerHealth),
		variable("JAEGER_METRICS_PORT", p.ports.JaegerMetrics),
	})
	s.Address = httpURL(p.ports.Jaeger, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.JaegerHealth, "/status")}
	return s
}

func (p *planner) loki() spec {
	s := p.server("loki", []string{
		"-config.file=" + p.configFile("loki", "loki.yaml"), "-config.expand-env=true",
	}, []string{
		thrifty, limitLoki,
		variable("LOKI_PORT", p.ports.Loki),
		variable("LOKI_GRPC_PORT", p.ports.LokiGRPC),
	})
	s.Address = httpURL(p.ports.Loki, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.Loki, "/ready")}
	return s
}

func (p *planner) pyroscope() spec {
	s := p.server("pyroscope", []string{
		"-config.file=" + p.configFile("pyroscope", "pyroscope.yaml"), "-config.expand-env=true",
	}, []string{
		thrifty, limitPyroscope,
		variable("PYROSCOPE_PORT", p.ports.Pyroscope),
		variable("PYROSCOPE_GRPC_PORT", p.ports.PyroscopeGRPC),
	})
	s.Address = httpURL(p.ports.Pyroscope, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.Pyroscope, "/ready")}
	return s
}

// scrapeTargets returns the target files of Prometheus for the planned
// components, by file name: what is not planned must not count as down.
func (p *planner) scrapeTargets(specs []spec) map[string][]targetGroup {
	planned := names(specs)
	groups := func(ports map[string]int) []targetGroup {
		list := []targetGroup{}
		for _, name := range Components() {
			if port, known := ports[name]; known && planned[name] {
				list = append(list, targetGroup{
					Targets: []string{local(port)}, Labels: map[string]string{"job": name},
				})
			}
		}
		return list
	}
	alertmanagers := groups(map[string]int{"alertmanager": p.ports.Alertmanager})
	for i := range alertmanagers {
		alertmanagers[i].Labels = nil
	}
	return map[string][]targetGroup{
		"alertmanagers.json": alertmanagers,
		"services.json": groups(map[string]int{
			"gateway": p.ports.GatewayAdmin, "api": p.ports.APIAdmin, "email": p.ports.EmailAdmin,
			"worker": p.ports.WorkerAdmin, "load": p.ports.LoadAdmin, "links": p.ports.LinksAdmin,
		}),
		"stores.json": groups(map[string]int{
			"prometheus": p.ports.Prometheus, "alertmanager": p.ports.Alertmanager, "jaeger": p.ports.JaegerMetrics,
			"loki": p.ports.Loki, "pyroscope": p.ports.Pyroscope, "grafana": p.ports.Grafana,
		}),
	}
}

// targetGroup is one entry of a file_sd file.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels,omitempty"`
}
