package drill

// Alert names an alert and its severity: what tells two rules of one name apart.
type Alert struct {
	Name, Severity string
}

func page(name string) Alert   { return Alert{name, "page"} }
func ticket(name string) Alert { return Alert{name, "ticket"} }

// linksBroken looks at exemplars of 45 seconds and of half an hour ago. So what a
// drill lost shows long after it, and no later drill is blamed for that.
func linksBroken() Alert { return ticket("ExemplarLinksBroken") }

// Drill is one fault and what should come of it.
type Drill struct {
	// Name says what is done.
	Name string
	// Faults are faults of the lab, as `make fault` knows them.
	Faults []string
	// Tamper is done to the stack instead, where the lab has no fault for it;
	// see tamper.go. Nil does nothing.
	Tamper tamper
	// Fires are the alerts that must fire, reach Alertmanager and end.
	Fires []Alert
	// May are alerts that may fire as well: consequences that depend on how long
	// the drill takes.
	May []Alert
	// Slow is set where the alert ends long after the fault. The next drill does
	// not wait for it.
	Slow bool
}

// burns are the alerts on budgets that errors or slowness raise by the way.
func burns() []Alert {
	return []Alert{
		page("ErrorBudgetBurnFast"), ticket("ErrorBudgetBurnSlow"),
		page("LatencyBudgetBurnFast"), ticket("LatencyBudgetBurnSlow"), ticket("P99OverObjective"),
	}
}

// All returns every drill, in the order in which they are done: those that need
// a clean past come first.
func All() []Drill {
	var all []Drill
	for _, some := range [][]Drill{ofBudgets(), ofServices(), ofProcesses(), ofReplicas(), ofTargets(), ofStack(), ofDisk()} {
		all = append(all, some...)
	}
	return all
}

func ofBudgets() []Drill {
	return []Drill{
		{Name: "0.4 % of the requests fail", Faults: []string{"errors=0.4%"}, Fires: []Alert{ticket("ErrorBudgetBurnSlow")}, Slow: true},
		{Name: "2 % of the requests are slow", Faults: []string{"latency=1.5s@2%"}, Fires: []Alert{ticket("LatencyBudgetBurnSlow")},
			May: []Alert{ticket("P99OverObjective")}, Slow: true},
		{Name: "one rare route is slow", Faults: []string{"slow-route=1.5s@/api/invites"}, Fires: []Alert{ticket("P99OverObjective")}, May: burns()},
		{Name: "a tenth of the requests fails", Faults: []string{"errors=10%"}, Fires: []Alert{page("ErrorBudgetBurnFast")}, May: burns()},
		{Name: "all requests are slow", Faults: []string{"latency=1.5s"},
			Fires: []Alert{page("LatencyBudgetBurnFast"), ticket("P99OverObjective")}, May: append(burns(), page("SaturationHurts"))},
	}
}

func ofServices() []Drill {
	return []Drill{
		{Name: "a backend is killed", Faults: []string{"stop=api"}, Fires: []Alert{page("TargetDown"), page("ErrorBudgetBurnFast")}, May: burns()},
		{Name: "what jobs depend on is killed", Faults: []string{"stop=email"}, Fires: []Alert{page("TargetDown"), ticket("JobsFail")}, May: []Alert{page("JobsWaitTooLong")}},
		{Name: "jobs hang", Faults: []string{"slow-jobs=8s"}, Fires: []Alert{page("JobsWaitTooLong")}, May: []Alert{ticket("JobsFail"), ticket("UtilizationHigh")}},
		{Name: "an N+1 query is deployed", Faults: []string{"n-plus-one"}, Fires: []Alert{ticket("NPlusOneAppears")}, May: burns()},
		{Name: "a pool is nearly full", Faults: []string{"pool=90%"}, Fires: []Alert{ticket("UtilizationHigh")}, May: append(burns(), ticket("DBPoolExhausted"), page("SaturationHurts"))},
		{Name: "a pool is exhausted", Faults: []string{"pool=100%"}, Fires: []Alert{ticket("DBPoolExhausted"), page("SaturationHurts")},
			May: append(burns(), ticket("UtilizationHigh"))},
	}
}

func ofProcesses() []Drill {
	memory := []Alert{ticket("UtilizationHigh"), ticket("MemoryNearLimit"), ticket("ExhaustionPredicted"), ticket("GCCostly"), page("SaturationHurts")}
	return []Drill{
		{Name: "memory leaks", Faults: []string{"leak=85%"}, Fires: []Alert{ticket("ExhaustionPredicted")}, May: append(burns(), memory...)},
		{Name: "memory is nearly all in use", Faults: []string{"memory=95%"}, Fires: []Alert{ticket("MemoryNearLimit")}, May: append(burns(), memory...)},
		{Name: "garbage is made", Faults: []string{"garbage"}, Fires: []Alert{ticket("GCCostly")}, May: append(burns(), memory...)},
	}
}

func ofReplicas() []Drill {
	return []Drill{
		{Name: "a replica lags", Faults: []string{"replica-lag=20s"}, Fires: []Alert{ticket("ReplicationLagging")}},
		{Name: "the replay is paused", Faults: []string{"replica-pause"}, Fires: []Alert{ticket("ReplicationLagging")}},
		{Name: "a replica is down", Faults: []string{"replica-down"}, Fires: []Alert{ticket("ReplicaDisconnected")}, May: []Alert{ticket("ReplicationLagging")}},
		{Name: "all replicas are down", Faults: []string{"stop=replica1", "stop=replica2"}, Fires: []Alert{ticket("RouterFallsBack"), ticket("ReplicaDisconnected")},
			May: append(burns(), ticket("ReplicationLagging"))},
	}
}

func ofTargets() []Drill {
	return []Drill{
		{Name: "a store is killed", Faults: []string{"stop=pyroscope"}, Fires: []Alert{ticket("TargetDown")}, May: []Alert{ticket("TelemetryDropped")}},
		{Name: "a telemetry backend is gone", Faults: []string{"stop=jaeger"},
			Fires: []Alert{ticket("TelemetryDropped"), ticket("TargetDown"), linksBroken()}},
		{Name: "a service is no longer listed", Tamper: unlist("services.json", "email"), Fires: []Alert{page("TargetVanished")}},
		{Name: "a store is no longer listed", Tamper: unlist("stores.json", "loki"), Fires: []Alert{ticket("TargetVanished")}},
		{Name: "another program answers for a service", Tamper: mistake, Fires: []Alert{page("MetricsAbsent")}},
		{Name: "histograms are not stored", Tamper: forgetHistograms, Fires: []Alert{page("RequestsUncounted")}},
	}
}

func ofStack() []Drill {
	return []Drill{
		{Name: "a rule fails", Tamper: failingRule, Fires: []Alert{page("PrometheusRuleFails")}},
		{Name: "a rule group is too slow", Tamper: hastyRule, Fires: []Alert{ticket("PrometheusRulesLate")}},
		{Name: "an Alertmanager is gone", Tamper: deadAlertmanager, Fires: []Alert{page("PrometheusCannotNotify")}},
		{Name: "a configuration is broken", Tamper: brokenConfig, Fires: []Alert{ticket("ConfigReloadFailed")}},
		{Name: "a receiver refuses", Tamper: refusingReceiver, Fires: []Alert{page("AlertmanagerCannotDeliver")}},
		{Name: "old log lines are sent", Tamper: oldLines, Fires: []Alert{ticket("LokiRefusesLogs")}},
	}
}

// ofDisk comes last: so much log keeps the disk busy, and everything that waits
// for it.
func ofDisk() []Drill {
	return []Drill{{Name: "a slot keeps the log", Faults: []string{"replica-down"}, Tamper: fillLog,
		Fires: []Alert{ticket("ReplicationSlotRetains"), ticket("ReplicaDisconnected")},
		May: append(burns(), ticket("ReplicationLagging"), page("TargetDown"), ticket("TargetDown"), page("RequestsUncounted"),
			ticket("TelemetryDropped"), page("JobsWaitTooLong"), ticket("RouterFallsBack"))}}
}

// Undrilled returns the alerts that no drill raises, with the reason.
func Undrilled() map[Alert]string {
	return map[Alert]string{
		{"Deadman", "heartbeat"}:  "it fires in every lab that is well; each run begins by seeing that it has reached Alertmanager",
		ticket("LokiCannotStore"): "Loki stores chunks after half an hour or when it ends, so a disk that fails does not show within a drill",
	}
}
