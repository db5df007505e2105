package admin

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"
)

// The handlers here stand in for those of net/http/pprof, whose mere import
// adds routes to http.DefaultServeMux: a service that serves that mux to the
// public would publish its profiles by embedding the agent.

// profileIndex lists the profiles that exist.
func profileIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "profile?seconds=30\ntrace?seconds=1")
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s (%d)\n", p.Name(), p.Count())
	}
}

// profile writes one of the runtime's profiles: in the pprof format, or as
// text with debug=1. gc=1 collects garbage before a heap profile.
func profile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p := pprof.Lookup(name)
	if p == nil {
		http.Error(w, "unknown profile "+strconv.Quote(name)+"; /debug/pprof/ lists those that exist", http.StatusNotFound)
		return
	}
	debug, _ := strconv.Atoi(r.FormValue("debug")) // 0, the binary form, when absent
	if name == "heap" && r.FormValue("gc") == "1" {
		runtime.GC()
	}
	setType(w, debug > 0, name)
	_ = p.WriteTo(w, debug) // fails only when the client is gone
}

// maxTrace bounds one execution trace: it takes megabytes a second.
const maxTrace = 5 * time.Minute

// executionTrace writes the runtime's execution trace of the next seconds.
func executionTrace(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
	if err != nil || !(seconds > 0) { // also NaN
		seconds = 1
	}
	seconds = min(seconds, maxTrace.Seconds())
	setType(w, false, "trace")
	if err := trace.Start(w); err != nil {
		w.Header().Del("Content-Disposition")
		http.Error(w, "start execution trace: "+err.Error(), http.StatusConflict)
		return
	}
	defer trace.Stop()
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	}
}

func setType(w http.ResponseWriter, text bool, name string) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if text {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
