# `make` alone lists what there is. Everything runs offline once the modules
# have been downloaded, except where a target says so.

# Every module is built by itself, with the Go that is installed: a workspace
# or a downloaded toolchain would hide what an embedder will get.
export GOWORK := off
export GOTOOLCHAIN := local

GO ?= go
MODULES := . sampleapp internal/contract internal/overhead

# What programs write and git keeps. check-generated compares all of it.
GENERATED := dashboards/generated dashboards/kubernetes alerts/generated docs/metrics.md

# The lab builds its servers into this cache; promtool is one of them. Tests
# that need it are left out without PROMTOOL, and fail if it names no program:
# the targets that follow `servers` set it.
PLUMBLINE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/plumbline
export PLUMBLINE_CACHE
PROMTOOL := $(PLUMBLINE_CACHE)/bin/promtool
test-race test-rules: export PROMTOOL := $(PROMTOOL)

LAB_COMMAND := $(GO) run ./compose/cmd/lab

# $(call each,command) runs a command in the folder of every module.
each = @set -e; for module in $(MODULES); do (cd $$module && set -x && $(1)); done

# Tests of internal/contract read files of the other modules. go remembers test
# results and does not look at those files again, so it must not remember.
uncached = $$([ $$module != internal/contract ] || echo -count=1)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##: / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##: The lab: in Docker where an engine answers, else native; LAB=native or LAB=docker forces one

.PHONY: up
up: ## Start the lab and wait until all of it is ready
	@$(LAB_COMMAND) up

.PHONY: status
status: ## Show every component; ARGS=--json for programs. Fails if one is down
	@$(LAB_COMMAND) status $(ARGS)

.PHONY: logs
logs: ## Show the last log lines; ARGS="-f api" follows one component
	@$(LAB_COMMAND) logs $(ARGS)

.PHONY: fault
fault: ## Break the lab on purpose; FAULT=replica-lag=5s, FAULT=clear mends it; without FAULT, list what there is
	@$(LAB_COMMAND) fault $(FAULT)

.PHONY: drill
drill: servers ## Break a lab of its own in every way and see each alert come and go; ARGS="pool replica" does some
	@$(LAB_COMMAND) drill $(if $(ARGS),$(ARGS),--doc docs/drills.md)

.PHONY: down
down: ## Stop the lab; PURGE=1 deletes its data too
	@$(LAB_COMMAND) down

.PHONY: secrets
secrets: ## Make the passwords of the lab in Docker, each once; up does it too
	sh compose/secrets.sh

.PHONY: servers
servers: ## Build the lab's servers, where they are not built yet (20 minutes on two cores, needs the network)
	$(LAB_COMMAND) build
	$(LAB_COMMAND) build promtool

##: Benchmarks: a scenario, or any URL by ARGS="--target http://... --path /..."

# BENCH_ARGS are the flags of one run.
BENCH_ARGS = $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench
bench: ## Measure SCENARIO=name before and after, QUICK=1 for the short form; reports go to bench/out
	@$(LAB_COMMAND) bench run $(BENCH_ARGS)

.PHONY: bench-list
bench-list: ## List the scenarios
	@$(LAB_COMMAND) bench list

.PHONY: bench-compare
bench-compare: ## Compare two runs, A=run B=run; fails on a significant regression past THRESHOLD=0.05
	@$(LAB_COMMAND) bench compare --a "$(A)" --b "$(B)" $(if $(THRESHOLD),--threshold $(THRESHOLD))

.PHONY: bench-pages
bench-pages: ## Write the figures of bench/results into the pages of docs/lab
	@$(LAB_COMMAND) bench page

##: Your own Grafana

# The token is taken from the environment, where other users of the machine do
# not see it.
.PHONY: import
import: export GRAFANA_URL := $(GRAFANA_URL)
import: export GRAFANA_TOKEN := $(GRAFANA_TOKEN)
import: ## Import dashboards and alerts, GRAFANA_URL=... GRAFANA_TOKEN=...; ARGS=--dry-run, --check, --uninstall
	@$(GO) run ./dashboards/cmd/import $(ARGS)

##: Development

.PHONY: generate
generate: ## Write the generated dashboards, rules and documents anew
	$(GO) run ./agent/catalog/cmd/gen -out docs/metrics.md
	$(GO) run ./dashboards/cmd/gen
	$(GO) run ./dashboards/cmd/gen --form kubernetes --out dashboards/kubernetes
	$(GO) run ./alerts/cmd/gen

.PHONY: check
check: check-format check-code check-short check-generated ## All that is fast: format, vet, build, go.mod, short tests, generated files

.PHONY: check-format
check-format:
	@unformatted=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: check-code
check-code:
	$(call each,$(GO) build ./...)
	$(call each,$(GO) vet ./...)
	$(call each,$(GO) mod tidy -diff)

.PHONY: check-short
check-short:
	$(call each,$(GO) test -short $(uncached) ./...)

# The outputs must be tracked: a diff of ignored or untracked files finds
# nothing, however stale they are.
.PHONY: check-generated
check-generated: generate ## Fail where a generated file is not the committed one
	@for output in $(GENERATED); do \
		[ -n "$$(git ls-files -- $$output)" ] || { echo "git tracks nothing in $$output"; exit 1; }; \
		[ -z "$$(git check-ignore --no-index $$output $$output/x)" ] || { echo "git ignores $$output"; exit 1; }; \
	done
	git diff --exit-code -- $(GENERATED)
	@untracked=$$(git status --porcelain --untracked-files=all -- $(GENERATED)); \
	if [ -n "$$untracked" ]; then echo "not committed:"; echo "$$untracked"; exit 1; fi

.PHONY: test
test: check test-race test-lag test-rules test-e2e test-page ## Everything but the browser: check, all tests with the race detector, the alert rules, the lab end to end, the console's own tests

# internal/overhead compares agents of others, which need not be built twice.
.PHONY: test-race
test-race: override MODULES := $(filter-out internal/overhead,$(MODULES))
test-race: servers
	$(call each,$(GO) test -race $(uncached) ./...)

# What is compared with a clock, alone and without the race detector.
.PHONY: test-lag
test-lag:
	$(GO) test -count=1 -run TestLagSecondsAreTrue ./agent/replication

.PHONY: test-rules
test-rules: servers
	$(PROMTOOL) check rules alerts/generated/prometheus/*/*.yml
	$(PROMTOOL) test rules alerts/tests/*_test.yml

# Real servers on free ports, real requests, real answers of every store.
.PHONY: test-e2e
test-e2e: servers
	cd internal/contract && PLUMBLINE_E2E=1 $(GO) test -v -count=1 -timeout 30m -skip TestLab/the_console ./e2e ./zipkin

# Types and unit tests of the console's page, then every dashboard in a real
# browser in front of a lab. SCREENSHOTS=folder writes pictures there.
.PHONY: test-console
test-console: servers test-page ## The console: its own tests, and every dashboard in a real browser
	sh compose/console/needs.sh
	cd internal/contract && PLUMBLINE_E2E=1 $(GO) test -v -count=1 -timeout 30m -run TestLab/the_console ./e2e

.PHONY: test-page
test-page:
	sh compose/console/needs.sh node
	cd "$$($(LAB_COMMAND) page)" && npm run check && npm test

.PHONY: screenshots
screenshots: export SCREENSHOTS := $(CURDIR)/docs/img
screenshots: test-console ## Write the pictures of the console in docs/img anew

# The same questions to the lab in containers, and what only containers can be
# asked. Not part of test: it needs an engine that has the images or can get them.
.PHONY: test-docker
test-docker: ## The lab in Docker, end to end, where an engine answers
	cd internal/contract && PLUMBLINE_E2E=docker $(GO) test -v -count=1 -timeout 30m ./e2e

##: Measurements, for a machine that does nothing else

.PHONY: overhead
overhead: ## Measure what the agent costs beside others and write docs/overhead.md; PART=requests,logs,server,memory
	cd internal/overhead && $(GO) run ./cmd/overhead -out results.json -doc ../../docs/overhead.md $(if $(PART),-part $(PART)) $(if $(ROUNDS),-rounds $(ROUNDS))

# A small form, to see that it works: make cost ARGS="-instances 20 -routes 3 -hours 1 -out /tmp/results.json -doc ''"
.PHONY: cost
cost: ## Measure what rules and dashboards cost Prometheus at 1,000 instances and write docs/cost.md; ARGS="-flavor classic"
	cd internal/contract && $(GO) run ./cost -out cost/results.json -doc ../../docs/cost.md $(ARGS)
