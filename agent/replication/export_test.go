package replication

import "time"

// History is the history of positions, for tests.
type History struct{ history }

// Add is history.add.
func (h *History) Add(now time.Time, at LSN) { h.add(now, at) }

// Left is history.left.
func (h *History) Left(at LSN) (time.Time, bool) { return h.left(at) }

// Len is the number of stands.
func (h *History) Len() int { return len(h.stands) }

// HistoryLimit is the most stands.
const HistoryLimit = historyLimit

// Settled is LSN.settled.
func Settled(l LSN, segment uint64) LSN { return l.settled(segment) }

// ReceiverQuery is receiverQuery.
func ReceiverQuery(version int) string { return receiverQuery(version) }

// Queries are all queries that are sent, for a version.
func Queries(version int) []string {
	return []string{positionQuery, sendersQuery, slotsQuery, receiverQuery(version)}
}
