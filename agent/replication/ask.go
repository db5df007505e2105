package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// minVersion is the oldest server that is understood: older ones have other
// names for everything.
const minVersion = 10_00_00

// answer is what one server says about itself and its peers.
type answer struct {
	version   int  // server_version_num
	replica   bool // in recovery
	allowed   bool // may see the state of its peers
	role      string
	at        LSN    // written by a primary, replayed by a replica
	timeline  string // of a primary, eight hexadecimal digits
	beat      uint64 // of the heartbeat table; 0 if there is none
	senders   []sender
	slots     []slot
	received  LSN    // by a replica
	receiver  string // status of a replica's WAL receiver; empty without one
	slot      string // that a replica streams from
	paused    bool   // replay of a replica
	collected bool   // there is an answer
}

// sender is one replica as its primary sees it.
type sender struct {
	application, address, slot, state string
	received, replayed                LSN // 0 until it has told
}

// streams reports whether the replica is connected, and not only about to be.
func (s sender) streams() bool { return s.state == "streaming" || s.state == "catchup" }

// slot is a replication slot of a primary.
type slot struct {
	name    string
	active  bool
	restart LSN // 0: it holds nothing back
}

// permissionError says what a role lacks.
type permissionError struct{ role string }

// Error says which statement helps.
func (e *permissionError) Error() string {
	return fmt.Sprintf("the role %q may not see replicas: run GRANT pg_monitor TO %q", e.role, e.role)
}

// positionQuery asks any server for its role and position. The position of a
// primary is where it inserts: with asynchronous commits that is ahead of what
// it has written, and visible to its users. No clock is asked for: those of the
// servers may be wrong.
const positionQuery = `select current_setting('server_version_num')::int, pg_is_in_recovery(),
	pg_has_role(current_user, 'pg_read_all_stats', 'usage'), current_user::text,
	case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text,
	case when pg_is_in_recovery() then '' else left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end,
	pg_size_bytes(current_setting('wal_segment_size'))`

// sendersQuery asks a primary for its replicas. Logical subscribers and
// programs that copy the log are none.
const sendersQuery = `select coalesce(s.application_name, ''), coalesce(host(s.client_addr), ''),
	coalesce(l.slot_name::text, ''), coalesce(s.state, ''), s.flush_lsn::text, s.replay_lsn::text
from pg_stat_replication s left join pg_replication_slots l on l.active_pid = s.pid
where l.slot_type is distinct from 'logical' and coalesce(s.state, '') <> 'backup'
	and coalesce(s.application_name, '') not in ('pg_receivewal', 'pg_basebackup')
order by s.pid`

const slotsQuery = `select slot_name::text, active, restart_lsn::text from pg_replication_slots order by slot_name`

// receiverQuery asks a replica what it receives, from a server of the version.
func receiverQuery(version int) string {
	paused := "pg_get_wal_replay_pause_state() <> 'not paused'"
	if version < 14_00_00 {
		paused = "pg_is_wal_replay_paused()"
	}
	return `select coalesce(r.status, ''), coalesce(r.slot_name::text, ''), pg_last_wal_receive_lsn()::text, ` + paused + `
from (select 1) one left join pg_stat_wal_receiver r on true`
}

// ask asks a server for everything that its role has to say. Where an answer
// comes with an error, the answer is true as far as it goes.
func ask(ctx context.Context, q Querier, heartbeat string) (answer, error) {
	a, err := askPosition(ctx, q)
	if err != nil {
		return answer{}, err
	}
	if a.replica {
		err = askReplica(ctx, q, &a)
	} else {
		err = askPrimary(ctx, q, &a)
	}
	if err == nil && heartbeat != "" {
		a.beat, err = beat(ctx, q, heartbeat, a.replica)
	}
	if err != nil {
		return answer{}, explain(err, a.role)
	}
	if !a.allowed {
		return a, &permissionError{a.role}
	}
	return a, nil
}

func askPosition(ctx context.Context, q Querier) (answer, error) {
	var a answer
	var at *string
	var segment int64
	err := each(ctx, q, positionQuery, func(r Rows) error {
		a.collected = true
		return r.Scan(&a.version, &a.replica, &a.allowed, &a.role, &at, &a.timeline, &segment)
	})
	if state(err) == "42883" { // undefined function
		return answer{}, fmt.Errorf("read the position: it is older than PostgreSQL 10, or no PostgreSQL: %w", err)
	}
	if err == nil && !a.collected {
		err = errors.New("no row")
	}
	if err == nil && a.version < minVersion {
		err = fmt.Errorf("version %d is not supported, want PostgreSQL 10 or later", a.version)
	}
	if err == nil {
		err = readLSNs(pair{at, &a.at})
	}
	if err != nil {
		return answer{}, fmt.Errorf("read the position: %w", err)
	}
	if !a.replica {
		a.at = a.at.settled(uint64(max(0, segment)))
	}
	return a, nil
}

func askPrimary(ctx context.Context, q Querier, a *answer) error {
	err := each(ctx, q, sendersQuery, func(r Rows) error {
		var s sender
		var received, replayed *string
		if err := r.Scan(&s.application, &s.address, &s.slot, &s.state, &received, &replayed); err != nil {
			return err
		}
		a.senders = append(a.senders, s)
		last := &a.senders[len(a.senders)-1]
		return readLSNs(pair{received, &last.received}, pair{replayed, &last.replayed})
	})
	if err != nil {
		return fmt.Errorf("read the replicas: %w", err)
	}
	if !a.allowed {
		a.senders = nil // rows without content
	}
	err = each(ctx, q, slotsQuery, func(r Rows) error {
		var s slot
		var restart *string
		if err := r.Scan(&s.name, &s.active, &restart); err != nil {
			return err
		}
		a.slots = append(a.slots, s)
		return readLSNs(pair{restart, &a.slots[len(a.slots)-1].restart})
	})
	if err != nil {
		return fmt.Errorf("read the replication slots: %w", err)
	}
	return nil
}

func askReplica(ctx context.Context, q Querier, a *answer) error {
	err := each(ctx, q, receiverQuery(a.version), func(r Rows) error {
		var received *string
		if err := r.Scan(&a.receiver, &a.slot, &received, &a.paused); err != nil {
			return err
		}
		return readLSNs(pair{received, &a.received})
	})
	if err != nil {
		return fmt.Errorf("read the WAL receiver: %w", err)
	}
	// After a restart the receiver begins before what was replayed already.
	a.received = max(a.received, a.at)
	return nil
}

// beat counts the heartbeat up on a primary, and reads it on a replica. It
// returns 0 where the table is not there yet.
func beat(ctx context.Context, q Querier, quoted string, replica bool) (uint64, error) {
	query := `select beat from ` + quoted
	if !replica {
		query = `insert into ` + quoted + ` as t (id, beat) values (1, 1)
			on conflict (id) do update set beat = t.beat + 1 returning beat`
	}
	n, err := readBeat(ctx, q, query)
	if state(err) == "42P01" { // undefined table
		if replica {
			return 0, nil
		}
		err = each(ctx, q, `create table if not exists `+quoted+` (id int primary key, beat bigint not null)`,
			func(Rows) error { return nil })
		if err == nil {
			n, err = readBeat(ctx, q, query)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("use the heartbeat table %s: %w", quoted, err)
	}
	return n, nil
}

func readBeat(ctx context.Context, q Querier, query string) (uint64, error) {
	var n int64
	err := each(ctx, q, query, func(r Rows) error { return r.Scan(&n) })
	return uint64(max(0, n)), err
}

// pair is a text that a query returned, and where its position goes.
type pair struct {
	text *string
	lsn  *LSN
}

// readLSNs reads positions; null is 0.
func readLSNs(pairs ...pair) error {
	for _, p := range pairs {
		if p.text == nil {
			continue
		}
		var err error
		if *p.lsn, err = ParseLSN(*p.text); err != nil {
			return err
		}
	}
	return nil
}

// explain names the GRANT where a permission is lacking.
func explain(err error, role string) error {
	if state(err) == "42501" && !strings.Contains(err.Error(), "heartbeat") { // insufficient privilege
		return fmt.Errorf("%w: %w", &permissionError{role}, err)
	}
	return err
}

// state returns the SQLSTATE of a server's error, whatever driver it came by,
// or the empty string.
func state(err error) string {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return s.SQLState()
	}
	return ""
}
