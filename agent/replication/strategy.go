package replication

import "fmt"

// Strategy says what a read must see.
type Strategy int

// The strategies.
const (
	// ReadAfterWrite shows a session what it wrote itself: a read goes to a
	// replica that has replayed the session's last write, waits for one, or
	// goes to the primary. It is the default.
	ReadAfterWrite Strategy = iota
	// CacheOwnWrites reads from the primary for a fixed time after a session's
	// write, whatever the replicas have replayed. Nothing is waited for; a
	// replica that lags by more than that time shows old data.
	CacheOwnWrites
	// Eventual reads from any replica that answers, however old its data.
	Eventual
)

// String returns the strategy's name.
func (s Strategy) String() string {
	switch s {
	case ReadAfterWrite:
		return "read after write"
	case CacheOwnWrites:
		return "cache own writes"
	case Eventual:
		return "eventual"
	}
	return fmt.Sprintf("strategy %d", int(s))
}
