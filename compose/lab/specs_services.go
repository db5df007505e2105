package lab

import (
	"path/filepath"
	"strconv"
	"syscall"
)

// The application's role and database, made by compose/config/postgres/start.sh.
const (
	databaseRole = "plumbline"
	databaseName = "plumbline"
)

func (p *planner) postgres() spec {
	return spec{
		Name: "postgres",
		// A copy: the checkout need not be readable by PostgreSQL's user.
		Args: []string{"/bin/sh", p.paths.runFile("postgres-start.sh"), "-c", "shared_buffers=64MB"},
		Env: p.env(
			"PGDATA="+filepath.Join(p.paths.data("postgres"), "cluster"),
			"POSTGRES_PASSWORD_FILE="+filepath.Join(p.paths.postgresRun(), "password"),
			"POSTGRES_USER="+databaseRole, "POSTGRES_DB="+databaseName,
			"POSTGRES_LISTEN="+loopback, variable("PGPORT", p.ports.Postgres),
		),
		Dir: p.paths.data("postgres"), User: p.account,
		Address: "postgres://" + local(p.ports.Postgres) + "/" + databaseName,
		Probe: probe{
			Kind: probePostgres, Target: local(p.ports.Postgres), User: databaseRole, Database: databaseName,
		},
		Stop: syscall.SIGINT, // fast shutdown: TERM would wait for every client to leave
	}
}

// replica is a server that streams from the primary. Its slot on the primary
// has its name.
func (p *planner) replica(name string, port int) spec {
	s := p.postgres()
	s.Name, s.Needs, s.Dir = name, []string{"postgres"}, p.paths.data(name)
	s.Args = []string{"/bin/sh", p.paths.runFile("postgres-start.sh"), "-c", "shared_buffers=32MB"}
	s.Env = p.env(
		"PGDATA="+filepath.Join(p.paths.data(name), "cluster"),
		"POSTGRES_PASSWORD_FILE="+filepath.Join(p.paths.postgresRun(), "password"),
		"POSTGRES_PRIMARY_HOST="+loopback, variable("POSTGRES_PRIMARY_PORT", p.ports.Postgres),
		"POSTGRES_REPLICA="+name,
		"POSTGRES_LISTEN="+loopback, variable("PGPORT", port),
	)
	s.Address = "postgres://" + local(port) + "/" + databaseName
	s.Probe.Target = local(port)
	return s
}

func (p *planner) redis() spec {
	s := spec{
		Name: "redis", Dir: p.paths.data("redis"),
		Address: "redis://" + local(p.ports.Redis),
		Probe:   probe{Kind: probeRedis, Target: local(p.ports.Redis), Password: p.secrets.Redis},
	}
	if p.tools.redis != "" {
		s.Args = []string{p.tools.redis, p.paths.runFile("redis.conf")}
		s.Env = p.env()
		return s
	}
	s.Args = []string{p.paths.sampleapp(), "--role", "redis"}
	s.Env = p.env("OTEL_SDK_DISABLED=true",
		"REDIS_ADDR="+local(p.ports.Redis), "REDIS_PASSWORD="+p.secrets.Redis)
	return s
}

// redisConf is the configuration of a real Redis server. It is a file because
// arguments, the password among them, are for all users to see.
func (p *planner) redisConf() string {
	return "bind " + loopback + "\n" +
		"port " + strconv.Itoa(p.ports.Redis) + "\n" +
		"requirepass " + p.secrets.Redis + "\n" +
		"dir " + p.paths.data("redis") + "\n" +
		"save 60 1000\nappendonly no\ndaemonize no\nmaxmemory 64mb\n"
}

// service is one role of sampleapp with everything its agent reports to.
func (p *planner) service(role string, admin int, env ...string) spec {
	agent := []string{
		"OTEL_SERVICE_NAME=" + role,
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=lab,service.instance.id=" + role + "-1",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + httpURL(p.ports.JaegerOTLP, "/v1/traces"),
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + httpURL(p.ports.Loki, "/otlp/v1/logs"),
		"OTEL_EXPORTER_PROMETHEUS_HOST=" + loopback,
		variable("OTEL_EXPORTER_PROMETHEUS_PORT", admin),
		"PYROSCOPE_SERVER_ADDRESS=" + httpURL(p.ports.Pyroscope, ""),
	}
	return spec{
		Name: role, After: stores(), Dir: p.paths.tmp(),
		Args: []string{p.paths.sampleapp(), "--role", role},
		Env:  p.env(append(agent, env...)...),
	}
}

// web is a service that answers HTTP: it is ready when it says so, and its
// answer covers what it depends on.
func (p *planner) web(role string, port, admin int, env ...string) spec {
	s := p.service(role, admin, append(env, "LISTEN_ADDR="+local(port))...)
	s.Address = httpURL(port, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(port, "/readyz")}
	return s
}

func (p *planner) databaseEnv() string { return "DATABASE_URL=" + p.databaseURL(p.ports.Postgres) }

func (p *planner) replicasEnv() string {
	return "DATABASE_REPLICAS=replica1=" + p.databaseURL(p.ports.Replica1) + ",replica2=" + p.databaseURL(p.ports.Replica2)
}

// faultsEnv tells a service where the faults are written down that it brings
// about itself.
func (p *planner) faultsEnv() string { return "FAULTS_FILE=" + p.paths.faults() }

func (p *planner) redisEnv() []string {
	return []string{"REDIS_ADDR=" + local(p.ports.Redis), "REDIS_PASSWORD=" + p.secrets.Redis}
}

func (p *planner) migrate() spec {
	return spec{
		Name: "migrate", Needs: []string{"postgres"}, Once: true, Dir: p.paths.tmp(),
		Args: []string{p.paths.sampleapp(), "--role", "migrate"},
		Env:  p.env(p.databaseEnv(), "OTEL_SDK_DISABLED=true"),
	}
}

func (p *planner) api() spec {
	s := p.web("api", p.ports.API, p.ports.APIAdmin, append(p.redisEnv(), p.databaseEnv(), p.replicasEnv(), p.faultsEnv())...)
	s.Needs = []string{"migrate", "redis", "replica1", "replica2"}
	return s
}

func (p *planner) email() spec {
	s := p.web("email", p.ports.Email, p.ports.EmailAdmin, p.databaseEnv())
	s.Needs = []string{"migrate"}
	return s
}

func (p *planner) worker() spec {
	s := p.web("worker", p.ports.Worker, p.ports.WorkerAdmin, p.databaseEnv(), p.faultsEnv(), "EMAIL_URL="+httpURL(p.ports.Email, ""))
	s.Needs = []string{"migrate", "email"}
	return s
}

func (p *planner) gateway() spec {
	s := p.web("gateway", p.ports.Gateway, p.ports.GatewayAdmin, "API_URL="+httpURL(p.ports.API, ""))
	s.Needs = []string{"api"}
	return s
}

// load serves nothing but its agent's admin listener.
func (p *planner) load() spec {
	s := p.service("load", p.ports.LoadAdmin,
		"GATEWAY_URL="+httpURL(p.ports.Gateway, ""), "LOAD_RATE="+strconv.Itoa(p.config.LoadRate))
	s.Needs = []string{"gateway"}
	s.After = append(s.After, "worker")
	s.Address = httpURL(p.ports.LoadAdmin, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.LoadAdmin, "/readyz")}
	return s
}

// links follows the links between the stores, which it needs as little as
// anybody: one that is not there is what it reports.
func (p *planner) links() spec {
	s := p.service("links", p.ports.LinksAdmin,
		"PROMETHEUS_URL="+httpURL(p.ports.Prometheus, ""), "LOKI_URL="+httpURL(p.ports.Loki, ""),
		"JAEGER_URL="+httpURL(p.ports.Jaeger, ""), "PYROSCOPE_URL="+httpURL(p.ports.Pyroscope, ""))
	s.Address = httpURL(p.ports.LinksAdmin, "")
	s.Probe = probe{Kind: probeHTTP, Target: httpURL(p.ports.LinksAdmin, "/readyz")}
	return s
}
