// Package callsite finds the line of a service's own code that a database call
// comes from, past the frames of drivers, mappers and the agent.
//
// Finding costs about a microsecond; which frames count is remembered for each
// program counter, of which a program has a fixed number. It is safe for
// concurrent use.
package callsite

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
)

// depth is how far up it looks. Mappers put 10 to 20 frames between a query
// and the code that asked for it.
const depth = 48

// libraries are the packages whose frames are passed over, with all packages
// below them.
var libraries = []string{
	"runtime", "reflect", "database/sql", "iter", "slices",
	"github.com/jackc/pgx/v5", "github.com/lib/pq", "github.com/go-sql-driver/mysql", "github.com/mattn/go-sqlite3", "modernc.org/sqlite",
	"github.com/redis/go-redis/v9",
	"gorm.io", "github.com/jmoiron/sqlx", "github.com/uptrace/bun", "entgo.io/ent", "github.com/Masterminds/squirrel",
	agent + "/internal", agent + "/agentpgx", agent + "/agentsql", agent + "/agentredis",
	agent + "/agentgrpc", agent + "/agentjob", agent + "/agentlog",
}

const agent = "github.com/cacheu/plumbline/agent"

// Finder finds call sites. The zero value is ready.
type Finder struct {
	own sync.Map // uintptr -> bool
}

// Find returns the program counter of the nearest frame that belongs to no
// library, or 0 where there is none within reach.
func (f *Finder) Find() uintptr {
	var room [depth]uintptr
	for _, pc := range room[:runtime.Callers(2, room[:])] {
		if f.isOwn(pc) {
			return pc
		}
	}
	return 0
}

func (f *Finder) isOwn(pc uintptr) bool {
	if own, ok := f.own.Load(pc); ok {
		return own.(bool)
	}
	frame, found := ownFrame(pc)
	own := found && frame.Function != ""
	f.own.Store(pc, own)
	return own
}

// ownFrame returns the innermost frame of a program counter that belongs to no
// library; inlining puts several into one.
func ownFrame(pc uintptr) (runtime.Frame, bool) {
	frames := runtime.CallersFrames([]uintptr{pc})
	for {
		frame, more := frames.Next()
		if !isLibrary(packageOf(frame.Function)) {
			return frame, true
		}
		if !more {
			return runtime.Frame{}, false
		}
	}
}

// packageOf returns the import path of a function's name, as in
// "example.com/shop/orders.(*Store).List".
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return function[:slash+dot]
	}
	return function
}

func isLibrary(pkg string) bool {
	if pkg == agent {
		return true
	}
	for _, library := range libraries {
		if rest, ok := strings.CutPrefix(pkg, library); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// Describe returns a call site as "function (file.go:12)", or the empty string
// for 0.
func Describe(pc uintptr) string {
	if pc == 0 {
		return ""
	}
	frame, ok := ownFrame(pc)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s (%s:%d)", path.Base(frame.Function), path.Base(frame.File), frame.Line)
}
