package lab

import "path/filepath"

// buildsFile, below the root, says how each server is built.
const buildsFile = "tools/builds.json"

// paths are the places of one lab, all derived from its home.
type paths struct{ home string }

func (p paths) run() string                 { return filepath.Join(p.home, "run") }
func (p paths) runFile(name string) string  { return filepath.Join(p.home, "run", name) }
func (p paths) state() string               { return p.runFile("state.json") }
func (p paths) plan() string                { return p.runFile("plan.json") }
func (p paths) faults() string              { return p.runFile("faults.json") }
func (p paths) tmp() string                 { return p.runFile("tmp") }
func (p paths) prometheus() string          { return p.runFile("prometheus") }
func (p paths) postgresRun() string         { return p.runFile("postgres") }
func (p paths) logs() string                { return filepath.Join(p.home, "logs") }
func (p paths) log(component string) string { return filepath.Join(p.home, "logs", component+".log") }
func (p paths) allData() string             { return filepath.Join(p.home, "data") }
func (p paths) data(component string) string {
	return filepath.Join(p.allData(), component)
}
func (p paths) secrets() string   { return filepath.Join(p.home, "secrets.json") }
func (p paths) console() string   { return filepath.Join(p.home, "bin", "console") }
func (p paths) sampleapp() string { return filepath.Join(p.home, "bin", "sampleapp") }

// purged lists everything below the home that the lab ever makes. Down deletes
// these by name, never the home as a whole: PLUMBLINE_HOME may be a directory
// that holds other things too.
func (p paths) purged() []string {
	return []string{p.run(), p.logs(), p.allData(), filepath.Join(p.home, "bin"), p.secrets()}
}

// serverBinary is where the builder puts a server.
func serverBinary(cache, name string) string {
	return filepath.Join(cache, "bin", name)
}
