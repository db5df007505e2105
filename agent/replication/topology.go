package replication

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// topology is what is known of a primary and its replicas. It is fed with the
// servers' answers and is otherwise pure: it asks nobody and has no clock. It
// is not safe for concurrent use.
type topology struct {
	interval time.Duration // between two answers of a server that is well
	stale    time.Duration // an answer older than this says nothing of now
	forget   time.Duration

	nodes    map[string]*nodeState
	primary  string // node that was the primary last; empty if none ever was
	replicas map[string]*replicaState
	slots    []slot // of the primary
	log      history
	beats    history // of the heartbeat table
	position LSN     // of the primary when it answered last
	written  uint64  // bytes, since the first answer
}

// nodeState is the newest answer of one node.
type nodeState struct {
	answer answer
	at     time.Time
}

// replicaState is what is known of one replica.
type replicaState struct {
	node      bool // it is asked itself, too
	connected bool // by the primary's word
	seen      time.Time

	replayed, received LSN
	positionAt         time.Time // of these two
	ownAt              time.Time // when the replica itself said so; zero if never
	stalled            bool      // it had replayed as much the time before
	beat               uint64
}

func newTopology(nodes []string, c Config) *topology {
	t := &topology{
		interval: c.Interval, forget: c.Forget,
		// Three missed answers, the last of which took its time.
		stale: 3*c.Interval + c.Timeout,
		nodes: map[string]*nodeState{}, replicas: map[string]*replicaState{},
	}
	for _, name := range nodes {
		t.nodes[name] = &nodeState{}
	}
	return t
}

// observe takes a node's answer of a time. It reports whether the primary is
// another one than before.
func (t *topology) observe(node string, now time.Time, a answer) (changed bool) {
	before := *t.nodes[node]
	*t.nodes[node] = nodeState{answer: a, at: now}
	if a.replica {
		t.observeReplica(node, now, a)
		return false
	}
	if !t.leads(node, now) {
		// Its timeline has ended: a primary that was replaced and does not know.
		// What it says of itself is no position behind the primary's.
		return false
	}
	changed = t.primary != "" && t.primary != node
	if changed && before.answer.replica {
		// It goes on from what it had received: what its predecessor wrote beyond
		// that is lost.
		t.log.add(before.at, before.answer.received)
	}
	t.primary = node
	delete(t.replicas, node)
	t.observePrimary(now, a)
	return changed
}

// leads reports whether a node that calls itself primary is believed: not while
// another one does that is on a later timeline, or was the primary before.
func (t *topology) leads(node string, now time.Time) bool {
	own := t.nodes[node].answer
	for name, n := range t.nodes {
		if name == node || !n.answer.collected || n.answer.replica {
			continue
		}
		age := now.Sub(n.at)
		switch later := cmp.Compare(n.answer.timeline, own.timeline); {
		case later > 0 && age <= t.forget, later == 0 && name == t.primary && age <= t.stale:
			return false
		}
	}
	return true
}

func (t *topology) observePrimary(now time.Time, a answer) {
	if t.position > 0 {
		t.written += a.at.since(t.position)
	}
	t.position = a.at
	t.log.add(now, a.at)
	if a.beat > 0 {
		t.beats.add(now, LSN(a.beat))
	}
	t.slots = a.slots
	if !a.allowed {
		return // it may have replicas that cannot be seen
	}
	for _, r := range t.replicas {
		r.connected = false
	}
	for name, s := range t.named(a.senders) {
		r := t.replica(name)
		if r == nil {
			continue
		}
		r.connected, r.seen = s.streams(), now
		// The replica's own word is newer: it tells its primary every few
		// seconds while it has nothing new to receive.
		if s.replayed > 0 && (r.ownAt.IsZero() || now.Sub(r.ownAt) > t.stale) {
			r.move(now, s.replayed, s.received)
		}
	}
	for name, r := range t.replicas {
		if !r.node && now.Sub(r.seen) > t.forget {
			delete(t.replicas, name)
		}
	}
}

func (t *topology) observeReplica(node string, now time.Time, a answer) {
	r := t.replica(node)
	if r == nil {
		return
	}
	r.node, r.seen = true, now
	if head, ok := t.log.last(); ok && a.received > head {
		t.log.add(now, a.received) // so far the primary has come, whether it answers or not
	}
	if a.at > 0 {
		r.move(now, a.at, a.received)
		r.ownAt = now
	}
	r.beat = a.beat
}

// move notes where the replica stands.
func (r *replicaState) move(now time.Time, replayed, received LSN) {
	r.stalled = replayed == r.replayed
	r.replayed, r.received, r.positionAt = replayed, max(received, replayed), now
}

// replica returns the replica's state, or nil where there are too many. Nodes
// always find a place: there are few.
func (t *topology) replica(name string) *replicaState {
	r := t.replicas[name]
	if r == nil {
		_, isNode := t.nodes[name]
		if len(t.replicas) >= MaxReplicas && !isNode {
			return nil
		}
		r = &replicaState{node: isNode}
		t.replicas[name] = r
	}
	return r
}

// named gives each sender the name under which it is reported: that of the node
// that uses the same slot, else its application_name, with the address or a
// number behind it where several have the same one.
func (t *topology) named(senders []sender) map[string]sender {
	count := map[string]int{}
	for _, s := range senders {
		count[s.application]++
	}
	named := make(map[string]sender, len(senders))
	for _, s := range senders {
		name := t.nodeWithSlot(s.slot)
		if name == "" {
			name = cmp.Or(s.application, "unnamed")
			if count[s.application] > 1 {
				name = cmp.Or(s.slot, s.application+"@"+s.address)
			}
		}
		unique := name
		for n := 2; ; n++ {
			if _, taken := named[unique]; !taken {
				break
			}
			unique = fmt.Sprintf("%s#%d", name, n)
		}
		named[unique] = s
	}
	return named
}

// nodeWithSlot returns the node that streams from a slot, or "".
func (t *topology) nodeWithSlot(slot string) string {
	if slot == "" {
		return ""
	}
	for name, n := range t.nodes {
		if n.answer.replica && n.answer.slot == slot {
			return name
		}
	}
	return ""
}

// report is what can be said of one replica at one time. Nothing is said where
// nothing is known.
type report struct {
	replica     string
	connected   *bool
	seconds     *float64
	ship, apply *uint64
	receiver    *string // of nodes only, as are the next
	paused      *bool
}

// reports returns what can be said of every replica now, by name.
func (t *topology) reports(now time.Time) []report {
	var all []report
	for _, name := range slices.Sorted(maps.Keys(t.replicas)) {
		r := t.replicas[name]
		out := report{replica: name, connected: t.connected(name, r, now)}
		t.lag(&out, r, now)
		if n, ok := t.nodes[name]; ok && t.fresh(n.at, now) {
			status, paused := cmp.Or(n.answer.receiver, receiverAbsent), n.answer.paused
			out.receiver, out.paused = &status, &paused
		}
		all = append(all, out)
	}
	return all
}

// receiverAbsent is the state of a receiver that is not there. PostgreSQL has
// words for the others.
const receiverAbsent = "none"

func (t *topology) fresh(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) <= t.stale }

// answers reports whether the primary has answered of late.
func (t *topology) answers(now time.Time) bool {
	p := t.nodes[t.primary]
	return p != nil && t.fresh(p.at, now)
}

// connected goes by the primary's word and by the replica's own: the primary
// does not list what streams from another replica, and may not answer or not be
// allowed to tell.
func (t *topology) connected(name string, r *replicaState, now time.Time) *bool {
	streams, known := false, false
	if t.answers(now) && t.nodes[t.primary].answer.allowed {
		streams, known = r.connected, true
	}
	if n, ok := t.nodes[name]; ok && t.fresh(n.at, now) && n.answer.allowed {
		streams, known = streams || n.answer.receiver == "streaming", true
	}
	if !known {
		return nil
	}
	return &streams
}

// lag compares the replica's position with the primary's. A replica that does
// not answer any more stays where it was last seen, and falls behind from
// there. One that is not behind the last known position of a primary that does
// not answer may be behind what that has written since: nothing is said.
func (t *topology) lag(out *report, r *replicaState, now time.Time) {
	head, ok := t.log.last()
	if !ok || r.positionAt.IsZero() {
		return
	}
	if r.replayed >= head && !t.answers(now) {
		return
	}
	ship, apply := head.since(r.received), r.received.since(r.replayed)
	out.ship, out.apply = &ship, &apply
	at := now
	if age := now.Sub(r.positionAt); !r.stalled && age > 0 {
		// One that moves is about to move on: what counts is how far it was
		// behind then, but not longer than the next answer would take.
		at = now.Add(-min(age, t.interval))
	}
	log, position := &t.log, r.replayed
	if r.beat > 0 && len(t.beats.stands) > 0 {
		log, position = &t.beats, LSN(r.beat)
	}
	seconds := 0.0
	if left, behind := log.left(position); behind {
		seconds = max(0, at.Sub(left).Seconds())
	}
	out.seconds = &seconds
}
