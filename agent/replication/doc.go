// Package replication measures how far PostgreSQL's replicas are behind, and
// sends reads where they see what their session wrote. It works with and
// without an agent.
//
//	collector, err := replication.NewCollector(replication.Config{
//		Nodes: []replication.Node{
//			{Name: "pg0", DB: replication.Pgx(primary)},
//			{Name: "pg1", DB: replication.Pgx(replica)},
//		},
//		Registerer: a.Registerer(),
//	})
//	defer collector.Shutdown(ctx)
//
// # The collector
//
// Lag is three numbers, each of which lies when it is alone: seconds say how
// old the reader's world is, bytes whether there is anything to catch up with,
// and connected whether anything is being done about it. An idle primary reads
// 0 s and 0 B. A replica that is down stays where it was last seen: its seconds
// and bytes grow as soon as the primary writes, and connected is 0. Of a
// replica that is only known from the primary, that is told for an hour
// ([Config.Forget]). Where nothing is known (no server answers, or no
// permission) there is no series rather than an old one.
//
// Seconds come from the primary's own past: the collector remembers when the
// primary stood at which position of its log, and looks the replica's position
// up. So no server's clock is read, nothing is written, and an idle primary
// needs no special case. The error is at most one [Config.Interval], and the
// time that an answer takes; while the primary cannot be asked it is at most
// that time. A collector that starts when a replica is behind already counts
// from its own start. See docs/adr/0012.
//
// Of a replica that is no node, the primary's word counts. That can be older
// by the replica's wal_receiver_status_interval, 10 s by default, while the
// replica works off what it has received and receives nothing new.
//
// It costs two to three queries per interval and server, on one connection of
// each pool. Every server has a goroutine of its own and one question under way
// at most, bounded by [Config.Timeout]: one that hangs holds up nobody. Roles
// need to be members of pg_monitor; one that is not is told the GRANT. Servers
// from PostgreSQL 10 on are understood.
//
// # The router
//
// A [Router] sends writes to the primary and notes in the caller's [Session]
// up to which position of the log they reach. A read of that session goes to a
// replica that has replayed so much, waits a little for one, or goes to the
// primary. [Sessions] carries the position from one request to the next in a
// signed cookie or header.
//
// # Handles
//
// The package takes handles of database/sql by [SQL] and of pgx by [Pgx], which
// is generic over pgx's rows: so it imports no driver, a user of database/sql
// links none because of it, and neither needs a sub-package.
//
// Everything here is safe for concurrent use, and keeps no state outside of its
// values.
//
// For maintainers: config.go, collector.go and metrics.go are the collector;
// ask.go is the queries; topology.go the state that the answers add up to,
// which is pure; history.go and lsn.go positions and when they were reached;
// querier.go the handles. router.go, route.go, target.go and strategy.go are
// the router, failure.go says which errors are a server's fault; session.go,
// token.go and http.go carry a session's position.
package replication
