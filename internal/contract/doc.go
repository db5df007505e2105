// Package contract holds the checks that concern the whole repository and no
// package of it. It is a module of its own, so that what the checks need
// (a Compose loader, the PromQL parser, a PostgreSQL client) never reaches the
// go.mod of somebody who embeds the agent. Nothing imports it.
//
// Each check is a pure function from source text or parsed files to a list of
// problems. Its test runs it on the repository, where it must find nothing, and
// on an input that is broken on purpose, where it must find exactly that: a
// check that cannot fail is not one.
//
// Where what is checked:
//
//	repo         the list of files that git knows, and the root
//	code         imports, dependencies, names, doc comments, globals, sizes
//	composefile  compose.yaml: loads, pinned, loopback, read-only, limited
//	provision    Grafana's data sources, their links and the names in them
//	serverimage  versions.env against tools/*/go.mod and tools/builds.json
//	scripts      start.sh of PostgreSQL and secrets.sh, run for real
//	pipeline     the Makefile and the workflow of continuous integration
//	e2e          the native lab on real servers, where PLUMBLINE_E2E is set
//	stores       what e2e asks the servers' own APIs
//	consolecheck the dashboards against what the lab console declares to draw
//	synth        metrics of services that do not exist, as many as one likes
//	cost         what rules and dashboards cost Prometheus: make cost
//	readme       the first Go block of README.md against the Examples
package contract
