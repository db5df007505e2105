package catalog

// Stages of replication: the values of the label stage.
const (
	// StageShip is log that the primary has written and the replica has not
	// received.
	StageShip = "ship"
	// StageApply is log that the replica has received and not replayed.
	StageApply = "apply"
)

// Where the router sends a read: the values of its label target.
const (
	RouterPrimary = "primary"
	RouterReplica = "replica"
)

// Why the router sent a read to a replica.
const (
	// RouterFresh: the session has not written, and the replica is fresh enough.
	RouterFresh = "fresh"
	// RouterCaughtUp: the replica has replayed what the session wrote.
	RouterCaughtUp = "caught_up"
	// RouterWaited: it had once the read had waited a little.
	RouterWaited = "waited"
	// RouterEventual: the caller takes whatever there is.
	RouterEventual = "eventual"
)

// Why the router sent a read to the primary.
const (
	// RouterBehind: no replica replayed what the session wrote in time.
	RouterBehind = "behind"
	// RouterOwnWrite: the session wrote a short while ago.
	RouterOwnWrite = "own_write"
	// RouterNoReplica: no replica answers.
	RouterNoReplica = "no_replica"
	// RouterLagging: no replica is fresh enough.
	RouterLagging = "lagging"
	// RouterUnknown: the session wrote, and where in the log is not known.
	RouterUnknown = "unknown_position"
	// RouterForged, RouterExpired and RouterForeign: the session's token is not
	// to be trusted, is too old, or is for somebody else.
	RouterForged  = "token_forged"
	RouterExpired = "token_expired"
	RouterForeign = "token_foreign"
)

// RouterRetry is why a read was sent anywhere after it had failed elsewhere.
const RouterRetry = "retry"
