// Package lab runs plumbline's observability lab on one machine: Prometheus,
// Alertmanager, Jaeger, Loki, Pyroscope and Grafana, PostgreSQL and Redis, and
// the sample application under a steady load.
//
// [Up], [CheckStatus], [Logs] and [Down] work on the lab that a [Config] names,
// in Docker Compose or natively ([Mode]). Both use the files in compose/config.
// A lab is known by its Home: two of them, on ports of their own ([FreePorts]),
// stand beside each other. A program that uses the package to start a native lab
// must also be able to be its supervisor ([Config].Supervisor, [PlanVariable],
// [Supervise]).
//
// The functions may be called at the same time, from one process or several: a
// lock on the home lets one of them start or stop the lab. Starting costs three
// seconds once everything is built, a quarter of an hour of compiling before;
// the running lab takes about a gigabyte of memory. Whatever fails to start takes
// everything that was started down with it; whatever dies later is reported by
// CheckStatus and restarted by nobody. The native lab needs Linux.
//
// # Variables
//
// [ConfigFromEnv] reads LAB (native or docker), ONLY (components, separated by
// commas; what they need comes along), PURGE, LOAD_RATE, PLUMBLINE_HOME,
// PLUMBLINE_CACHE, GRAFANA_HOME, CONSOLE and one variable for each port ([Ports.List]).
//
// # For maintainers
//
// Up makes a plan, which is data only, writes it into Home/run, and starts the
// supervisor: detached, in a session of its own, holding the home's lock. The
// supervisor starts the components in the order of what they need and keeps
// Home/run/state.json up to date; the other commands read that file, the kernel
// and the components' own answers. A process is known by pid and start time, so
// that no command ever signals a process that merely got the same pid.
//
//	config.go paths.go ports.go secrets.go   what lab, where, on which ports
//	planner.go specs_*.go grafana.go         the table of components
//	console.go page.go                       the console: its component, its page's build
//	spec.go                                  one component as data; order and choice
//	prepare.go postgres.go                   files and users that components need
//	build.go                                 servers from tools/builds.json, sampleapp
//	up.go down.go status.go logs.go table.go the commands, natively
//	bench.go                                 the benchmark command, told where the lab is
//	supervisor.go process.go state.go        the detached supervisor
//	fault*.go                                breaking the lab on purpose
//	probe.go                                 asking a component whether it works
//	proc.go listeners.go                     what the kernel knows: /proc
//	logfile.go                               bounded logs
//	docker.go docker_status.go               the commands, by Docker Compose
//	docker_project.go docker_watch.go        what Compose would start; how long it took
package lab
